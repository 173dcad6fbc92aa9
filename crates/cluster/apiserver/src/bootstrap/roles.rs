//! The default roles and bindings, as in Kubernetes where the kinds exist here.
//!
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings>. One thing
//! differs: all built-in controllers share `system:kube-controller-manager`, so its role is the union of theirs.

use serde_json::{Value, json};

use crate::authn::{AUTHENTICATED, MASTERS, UNAUTHENTICATED};
use crate::authz::node;
use crate::authz::rbac::GROUP;

/// Verbs for looking.
const READ: &str = "get list watch";
/// Verbs for everything that can be done to stored objects.
const WRITE: &str = "create delete deletecollection patch update";
const ALL: &str = "create delete deletecollection get list patch update watch";
/// How rules write the core group.
const CORE: &str = "core";

/// Verbs, groups, resources: words separated by blanks.
type Line = (&'static str, &'static str, &'static str);

/// All default roles and bindings.
pub(crate) fn all() -> Vec<Value> {
    let mut objects = cluster_roles();
    objects.extend(aggregated());
    objects.extend(cluster_bindings());
    objects.extend(namespaced());
    objects
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| {
            if word == CORE {
                String::new()
            } else {
                word.to_owned()
            }
        })
        .collect()
}

fn rules(lines: &[Line]) -> Vec<Value> {
    lines
        .iter()
        .map(|(verbs, groups, resources)| {
            json!({ "verbs": words(verbs), "apiGroups": words(groups), "resources": words(resources) })
        })
        .collect()
}

fn paths(paths: &str) -> Value {
    json!({ "verbs": ["get"], "nonResourceURLs": words(paths) })
}

fn metadata(name: &str) -> Value {
    json!({
        "name": name,
        "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
        "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" },
    })
}

fn cluster_role(name: &str, rules: &[Value]) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "ClusterRole", "metadata": metadata(name), "rules": rules,
    })
}

fn cluster_roles() -> Vec<Value> {
    let everything = json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] });
    let every_path = json!({ "verbs": ["*"], "nonResourceURLs": ["*"] });
    let public = "/healthz /livez /readyz /version /version/";
    let discovery =
        "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/";
    let mut signer = rules(&[("approve sign", "certificates.k8s.io", "signers")]);
    signer[0]["resourceNames"] = json!([
        "kubernetes.io/kube-apiserver-client",
        "kubernetes.io/kube-apiserver-client-kubelet",
        "kubernetes.io/kubelet-serving",
        "kubernetes.io/legacy-unknown",
    ]);
    vec![
        cluster_role("cluster-admin", &[everything, every_path]),
        cluster_role(
            "system:basic-user",
            &rules(&[
                (
                    "create",
                    "authorization.k8s.io",
                    "selfsubjectaccessreviews selfsubjectrulesreviews",
                ),
                ("create", "authentication.k8s.io", "selfsubjectreviews"),
            ]),
        ),
        cluster_role("system:discovery", &[paths(discovery)]),
        cluster_role("system:public-info-viewer", &[paths(public)]),
        cluster_role(
            "system:service-account-issuer-discovery",
            &[paths(
                "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
            )],
        ),
        cluster_role(
            "system:monitoring",
            &[paths(
                "/healthz /healthz/* /livez /livez/* /metrics /readyz /readyz/*",
            )],
        ),
        cluster_role(
            "system:auth-delegator",
            &rules(&[
                ("create", "authentication.k8s.io", "tokenreviews"),
                ("create", "authorization.k8s.io", "subjectaccessreviews"),
            ]),
        ),
        cluster_role(
            "system:kubelet-api-admin",
            &rules(&[
                (READ, CORE, "nodes"),
                ("proxy", CORE, "nodes"),
                ("*", CORE, "nodes/log nodes/metrics nodes/proxy nodes/stats"),
            ]),
        ),
        cluster_role(
            "system:node",
            &node::rules()
                .iter()
                .map(crate::authz::rules::Rule::to_value)
                .collect::<Vec<_>>(),
        ),
        cluster_role(
            "system:node-bootstrapper",
            &rules(&[(
                "create get list watch",
                "certificates.k8s.io",
                "certificatesigningrequests",
            )]),
        ),
        approver("kube-apiserver-client-approver", "kube-apiserver-client"),
        approver(
            "kube-apiserver-client-kubelet-approver",
            "kube-apiserver-client-kubelet",
        ),
        approver("kubelet-serving-approver", "kubelet-serving"),
        approver("legacy-unknown-approver", "legacy-unknown"),
        cluster_role(
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            &rules(&[(
                "create",
                "certificates.k8s.io",
                "certificatesigningrequests/selfnodeclient",
            )]),
        ),
        cluster_role("system:kube-scheduler", &rules(SCHEDULER)),
        cluster_role(
            "system:kube-controller-manager",
            &[rules(CONTROLLERS), signer].concat(),
        ),
        cluster_role(
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            &rules(&[(
                "create",
                "certificates.k8s.io",
                "certificatesigningrequests/nodeclient",
            )]),
        ),
    ]
}

/// Who may approve requests to one signer.
fn approver(name: &str, signer: &str) -> Value {
    let mut rules = rules(&[("approve", "certificates.k8s.io", "signers")]);
    rules[0]["resourceNames"] = json!([format!("kubernetes.io/{signer}")]);
    cluster_role(&format!("system:certificates.k8s.io:{name}"), &rules)
}

const SCHEDULER: &[Line] = &[
    ("create patch update", "core events.k8s.io", "events"),
    (
        "create get list update watch patch",
        "coordination.k8s.io",
        "leases",
    ),
    (
        READ,
        CORE,
        "nodes pods namespaces services persistentvolumeclaims",
    ),
    ("delete", CORE, "pods"),
    ("create", CORE, "bindings pods/binding"),
    ("patch update", CORE, "pods/status"),
    (READ, "apps", "replicasets statefulsets"),
    (READ, "policy", "poddisruptionbudgets"),
];

const CONTROLLERS: &[Line] = &[
    // Garbage, namespaces and quotas concern every kind.
    ("get list watch delete deletecollection patch update", "*", "*"),
    ("create patch update", "core events.k8s.io", "events"),
    (
        "create",
        CORE,
        "pods pods/binding bindings pods/eviction endpoints serviceaccounts secrets configmaps persistentvolumeclaims",
    ),
    ("create", "apps", "replicasets controllerrevisions"),
    ("create", "batch", "jobs"),
    ("create", "discovery.k8s.io", "endpointslices"),
    ("create", "coordination.k8s.io", "leases"),
    (
        "create",
        "authentication.k8s.io authorization.k8s.io",
        "tokenreviews subjectaccessreviews",
    ),
];

fn aggregated() -> Vec<Value> {
    // Each is the sum of its parts, and part of the next stronger one.
    let joined = |name: &str, part_of: Option<&str>| {
        let mut role = cluster_role(name, &[]);
        role["aggregationRule"] =
            json!({ "clusterRoleSelectors": [{ "matchLabels": { aggregate(name): "true" } }] });
        if let Some(stronger) = part_of {
            role["metadata"]["labels"][aggregate(stronger)] = json!("true");
        }
        role
    };
    let part = |name: &str, lines: &[Line]| {
        let mut role = cluster_role(&format!("system:aggregate-to-{name}"), &rules(lines));
        role["metadata"]["labels"][aggregate(name)] = json!("true");
        role
    };
    vec![
        joined("admin", None),
        joined("edit", Some("admin")),
        joined("view", Some("edit")),
        part("admin", ADMIN),
        part("edit", EDIT),
        part("view", VIEW),
    ]
}

fn aggregate(part: &str) -> String {
    format!("rbac.authorization.k8s.io/aggregate-to-{part}")
}

const ADMIN: &[Line] = &[
    (ALL, GROUP, "rolebindings roles"),
    ("create", "authorization.k8s.io", "localsubjectaccessreviews"),
];

const EDIT: &[Line] = &[
    (
        READ,
        CORE,
        "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
    ),
    ("impersonate", CORE, "serviceaccounts"),
    (
        WRITE,
        CORE,
        "pods pods/attach pods/exec pods/portforward pods/proxy",
    ),
    ("create", CORE, "pods/eviction"),
    (
        WRITE,
        CORE,
        "configmaps events persistentvolumeclaims secrets serviceaccounts services services/proxy",
    ),
    ("create", CORE, "serviceaccounts/token"),
    (
        WRITE,
        "apps",
        "deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
    ),
    (WRITE, "autoscaling", "horizontalpodautoscalers"),
    (WRITE, "batch", "cronjobs jobs"),
    (WRITE, "networking.k8s.io", "ingresses networkpolicies"),
    (WRITE, "policy", "poddisruptionbudgets"),
    (ALL, "coordination.k8s.io", "leases"),
];

const VIEW: &[Line] = &[
    (
        READ,
        CORE,
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods serviceaccounts services services/status",
    ),
    (
        READ,
        CORE,
        "bindings events limitranges namespaces/status pods/log pods/status resourcequotas resourcequotas/status namespaces",
    ),
    (READ, "discovery.k8s.io", "endpointslices"),
    (READ, "events.k8s.io", "events"),
    (
        READ,
        "apps",
        "controllerrevisions deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
    ),
    (
        READ,
        "autoscaling",
        "horizontalpodautoscalers horizontalpodautoscalers/status",
    ),
    (READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
    (
        READ,
        "networking.k8s.io",
        "ingresses ingresses/status networkpolicies",
    ),
    (READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
];

fn cluster_binding(name: &str, role: &str, subjects: &[(&str, &str)]) -> Value {
    let mut binding = json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "ClusterRoleBinding", "metadata": metadata(name),
        "roleRef": { "apiGroup": GROUP, "kind": "ClusterRole", "name": role },
    });
    if !subjects.is_empty() {
        binding["subjects"] = json!(subject_list(subjects));
    }
    binding
}

fn subject_list(subjects: &[(&str, &str)]) -> Vec<Value> {
    subjects
        .iter()
        .map(|(kind, name)| json!({ "apiGroup": GROUP, "kind": kind, "name": name }))
        .collect()
}

fn cluster_bindings() -> Vec<Value> {
    let group = |name: &'static str| [("Group", name)];
    vec![
        cluster_binding("cluster-admin", "cluster-admin", &group(MASTERS)),
        cluster_binding("system:basic-user", "system:basic-user", &group(AUTHENTICATED)),
        cluster_binding("system:discovery", "system:discovery", &group(AUTHENTICATED)),
        cluster_binding(
            "system:public-info-viewer",
            "system:public-info-viewer",
            &[("Group", AUTHENTICATED), ("Group", UNAUTHENTICATED)],
        ),
        cluster_binding(
            "system:service-account-issuer-discovery",
            "system:service-account-issuer-discovery",
            &group("system:serviceaccounts"),
        ),
        cluster_binding(
            "system:monitoring",
            "system:monitoring",
            &group("system:monitoring"),
        ),
        cluster_binding(
            "system:kube-scheduler",
            "system:kube-scheduler",
            &[("User", "system:kube-scheduler")],
        ),
        cluster_binding(
            "system:kube-controller-manager",
            "system:kube-controller-manager",
            &[("User", "system:kube-controller-manager")],
        ),
        // Nodes get their rights one by one from the node rules; the binding is there and binds nobody.
        cluster_binding("system:node", "system:node", &[]),
    ]
}

/// `cluster-info` is for everybody who has an identity; how the API proves who it is, for the servers that it asks.
fn namespaced() -> Vec<Value> {
    let viewer = "system:cluster-info-viewer";
    let reader = "extension-apiserver-authentication-reader";
    vec![
        reads_config_map(viewer, "kube-public", "cluster-info", "get"),
        json!({
            "apiVersion": format!("{GROUP}/v1"), "kind": "RoleBinding", "metadata": within("kube-public", viewer),
            "roleRef": { "apiGroup": GROUP, "kind": "Role", "name": viewer },
            "subjects": subject_list(&[("Group", AUTHENTICATED)]),
        }),
        reads_config_map(reader, "kube-system", "extension-apiserver-authentication", READ),
    ]
}

fn within(namespace: &str, name: &str) -> Value {
    let mut metadata = metadata(name);
    metadata["namespace"] = json!(namespace);
    metadata
}

fn reads_config_map(role: &str, namespace: &str, name: &str, verbs: &'static str) -> Value {
    let mut allowed = rules(&[(verbs, CORE, "configmaps")]);
    allowed[0]["resourceNames"] = json!([name]);
    json!({
        "apiVersion": format!("{GROUP}/v1"), "kind": "Role", "metadata": within(namespace, role), "rules": allowed,
    })
}

#[cfg(test)]
mod tests;
