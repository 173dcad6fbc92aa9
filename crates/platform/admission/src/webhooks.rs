//! What Kubernetes is told about the guards: which of them it asks about what.
//!
//! All of them fail closed, and none of them stands before what is needed to bring it up: the namespaces of
//! Kubernetes and of the platform itself are out of their reach, by a label that nobody can take off.

use std::collections::BTreeSet;

use base64::Engine;
use serde_json::{Value, json};
use toolforge_model::{labels, names};
use toolforge_policy::{Policies, SafeNamespaces};

/// Name of both webhook configurations.
pub const CONFIGURATION_NAME: &str = "toolforge-admission";
/// Namespaces that no guard stands before, so that a cluster without guards can bring them up.
pub const EXEMPT_NAMESPACES: [&str; 5] = [
    "kube-node-lease",
    "kube-public",
    "kube-system",
    names::PUBLIC_NAMESPACE,
    "toolforge-system",
];
/// How long Kubernetes waits for an answer, in seconds: longer than the guards' own look at the API may take.
const TIMEOUT_SECONDS: u32 = 10;

/// Where Kubernetes reaches the webhook server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientConfigBase {
    /// By address: `https://HOST:PORT`, without a path.
    Url(String),
    /// Through a Service in the cluster.
    Service {
        /// Namespace of the Service.
        namespace: String,
        /// Name of the Service.
        name: String,
        /// Port of the Service.
        port: u16,
    },
}

/// Before which namespaces the guards stand.
///
/// Not before those that the operator calls safe: what a cluster needs to start - its network, its storage - may live there,
/// and must come up while no guard does.
#[derive(Clone, Debug)]
pub struct Reach {
    pods_everywhere: bool,
    safe: SafeNamespaces,
}

impl Reach {
    /// The reach under these policies.
    pub fn of(policies: &Policies) -> Self {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect();
        Self {
            pods_everywhere: policies.pod_everywhere,
            safe: SafeNamespaces {
                ingress: names(policies.ingress.safe_namespaces()),
                images: names(policies.registry.safe_namespaces()),
                services: names(&policies.service.safe_namespaces),
                endpoints: names(&policies.endpoints.safe_namespaces),
                volumes: names(policies.volumes.safe_namespaces()),
                pods: names(&policies.pod_safe_namespaces),
            },
        }
    }
}

/// The `ValidatingWebhookConfiguration` and the `MutatingWebhookConfiguration` that put the guards in place.
///
/// Without `ca_pem` the guards have to tell themselves by which authority they are known: until they do, nobody trusts them.
pub fn webhook_configurations(base: &ClientConfigBase, ca_pem: Option<&str>, reach: &Reach) -> Vec<Value> {
    let safe = &reach.safe;
    let judged = if reach.pods_everywhere {
        everywhere(&safe.pods)
    } else {
        of_tools(&safe.pods)
    };
    let client = |path: &str| client_config(base, ca_pem, path);
    let validating = [
        webhook(
            "ingress-admission",
            &client("/validate/ingress"),
            &ingresses(),
            &everywhere(&safe.ingress),
        ),
        webhook(
            "registry-admission",
            &client("/validate/images"),
            &workloads(),
            &everywhere(&safe.images),
        ),
        webhook("pod-admission", &client("/validate/pod"), &workloads(), &judged),
        webhook(
            "service-admission",
            &client("/validate/service"),
            &services(),
            &of_tools(&safe.services),
        ),
        not_for_controllers(webhook(
            "endpoints-admission",
            &client("/validate/endpoints"),
            &endpoints(),
            &of_tools(&safe.endpoints),
        )),
        webhook(
            "volumes-admission",
            &client("/validate/volumes"),
            &workloads(),
            &everywhere(&safe.volumes),
        ),
    ];
    // In this order: whoever judges a Pod's security sees its mounts.
    let mut mutating = [
        for_pods_with_environment(webhook(
            "volumes-admission",
            &client("/mutate/volumes"),
            &pods(),
            &everywhere(&safe.volumes),
        )),
        again_if_changed(webhook("pod-admission", &client("/mutate/pod"), &pods(), &judged)),
    ];
    for webhook in &mut mutating {
        webhook["reinvocationPolicy"] = json!("Never");
    }
    vec![
        configuration("ValidatingWebhookConfiguration", &validating),
        configuration("MutatingWebhookConfiguration", &mutating),
    ]
}

fn configuration(kind: &str, webhooks: &[Value]) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": CONFIGURATION_NAME},
        "webhooks": webhooks,
    })
}

fn webhook(name: &str, client: &Value, rules: &Value, namespaces: &Value) -> Value {
    json!({
        "name": format!("{name}.toolforge.org"),
        "clientConfig": client,
        "rules": rules,
        "namespaceSelector": namespaces,
        "objectSelector": {},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
    })
}

/// Controllers write endpoints all the time, and must not stand still when the guards do. The guard knows them as well,
/// for clusters whose API has no conditions.
fn not_for_controllers(mut webhook: Value) -> Value {
    webhook["matchConditions"] = json!([
        {"name": "not-the-controller-manager", "expression": "request.userInfo.username != 'system:kube-controller-manager'"},
        {
            "name": "not-a-controller",
            "expression": "!('system:serviceaccounts:kube-system' in request.userInfo.groups)",
        },
    ]);
    webhook
}

/// Others may add containers after this one; those are completed as well.
fn again_if_changed(mut webhook: Value) -> Value {
    webhook["reinvocationPolicy"] = json!("IfNeeded");
    webhook
}

fn for_pods_with_environment(mut webhook: Value) -> Value {
    webhook["objectSelector"] = json!({"matchLabels": {labels::TOOLFORGE: labels::TOOLFORGE_TOOL}});
    webhook
}

fn client_config(base: &ClientConfigBase, ca_pem: Option<&str>, path: &str) -> Value {
    let mut client = match base {
        ClientConfigBase::Url(url) => json!({"url": format!("{}{path}", url.trim_end_matches('/'))}),
        ClientConfigBase::Service {
            namespace,
            name,
            port,
        } => {
            json!({"service": {"namespace": namespace, "name": name, "port": port, "path": path}})
        }
    };
    if let Some(pem) = ca_pem {
        client["caBundle"] = json!(base64::engine::general_purpose::STANDARD.encode(pem));
    }
    client
}

/// Every namespace but the exempt ones and these.
fn everywhere(but: &[String]) -> Value {
    let but = but.iter().map(String::as_str);
    let exempt: BTreeSet<&str> = EXEMPT_NAMESPACES.into_iter().chain(but).collect();
    json!({"matchExpressions": [{"key": labels::METADATA_NAME, "operator": "NotIn", "values": exempt}]})
}

/// The namespaces of tools but these.
fn of_tools(but: &[String]) -> Value {
    let mut selector = everywhere(but);
    selector["matchLabels"] = json!({labels::TENANCY: labels::TENANCY_TOOL});
    selector
}

fn rule(group: &str, resources: &[&str], operations: &[&str]) -> Value {
    json!({
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "resources": resources,
        "operations": operations,
        "scope": "Namespaced",
    })
}

const WRITES: [&str; 2] = ["CREATE", "UPDATE"];

fn ingresses() -> Value {
    json!([rule("networking.k8s.io", &["ingresses"], &WRITES)])
}

fn services() -> Value {
    json!([rule("", &["services"], &WRITES)])
}

fn endpoints() -> Value {
    json!([
        rule("", &["endpoints"], &WRITES),
        rule("discovery.k8s.io", &["endpointslices"], &WRITES)
    ])
}

fn workloads() -> Value {
    json!([
        rule(
            "",
            &[
                "pods",
                "pods/ephemeralcontainers",
                "podtemplates",
                "replicationcontrollers"
            ],
            &WRITES
        ),
        rule(
            "apps",
            &["daemonsets", "deployments", "replicasets", "statefulsets"],
            &WRITES
        ),
        rule("batch", &["cronjobs", "jobs"], &WRITES),
    ])
}

fn pods() -> Value {
    json!([
        rule("", &["pods"], &["CREATE"]),
        rule("", &["pods/ephemeralcontainers"], &["UPDATE"])
    ])
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
    };
    use serde_json::Value;

    use toolforge_policy::PolicySettings;

    use super::{ClientConfigBase, EXEMPT_NAMESPACES, Reach, webhook_configurations};

    fn reach(further: &str) -> Reach {
        let settings = format!("{{domains: [a.example], registries: [r.example], {further}}}");
        Reach::of(&PolicySettings::read(&settings).unwrap().resolve().unwrap())
    }

    fn all_webhooks() -> Vec<Value> {
        let base = ClientConfigBase::Url("https://127.0.0.1:9443/".to_owned());
        let configurations = webhook_configurations(&base, Some("PEM"), &reach(""));
        configurations
            .iter()
            .flat_map(|c| c["webhooks"].as_array().unwrap().clone())
            .collect()
    }

    #[test]
    fn are_objects_that_kubernetes_reads() {
        let base = ClientConfigBase::Service {
            namespace: "a".to_owned(),
            name: "b".to_owned(),
            port: 443,
        };
        let [validating, mutating] = webhook_configurations(&base, Some("PEM"), &reach(""))
            .try_into()
            .unwrap();
        let validating: ValidatingWebhookConfiguration = serde_json::from_value(validating).unwrap();
        let mutating: MutatingWebhookConfiguration = serde_json::from_value(mutating).unwrap();
        assert_eq!(validating.webhooks.unwrap().len(), 6);
        let webhook = mutating.webhooks.unwrap().remove(1);
        let service = webhook.client_config.service.unwrap();
        assert_eq!(service.path.as_deref(), Some("/mutate/pod"));
        assert_eq!(webhook.client_config.ca_bundle.unwrap().0, b"PEM");
    }

    #[test]
    fn fail_closed_and_never_see_a_deletion() {
        for webhook in all_webhooks() {
            assert_eq!(webhook["failurePolicy"], "Fail");
            for rule in webhook["rules"].as_array().unwrap() {
                let operations = rule["operations"].as_array().unwrap();
                assert!(
                    operations
                        .iter()
                        .all(|operation| operation == "CREATE" || operation == "UPDATE")
                );
            }
        }
    }

    #[test]
    fn cannot_lock_out_what_brings_them_up() {
        for webhook in all_webhooks() {
            let expression = &webhook["namespaceSelector"]["matchExpressions"][0];
            assert_eq!(expression["key"], "kubernetes.io/metadata.name");
            assert_eq!(expression["operator"], "NotIn");
            let exempt = expression["values"].as_array().unwrap();
            assert!(
                EXEMPT_NAMESPACES
                    .iter()
                    .all(|namespace| exempt.iter().any(|value| value == namespace))
            );
        }
    }

    #[test]
    fn of_pods_stand_before_tools_or_before_everybody() {
        let base = ClientConfigBase::Url("https://127.0.0.1:9443".to_owned());
        for everywhere in [false, true] {
            let reach = reach(&format!("podSecurity: {{allNamespaces: {everywhere}}}"));
            for configuration in webhook_configurations(&base, Some("PEM"), &reach) {
                let webhooks = configuration["webhooks"].as_array().unwrap();
                let pods = webhooks
                    .iter()
                    .find(|webhook| webhook["name"] == "pod-admission.toolforge.org");
                let labels = &pods.unwrap()["namespaceSelector"]["matchLabels"];
                assert_eq!(labels.is_null(), everywhere);
            }
        }
    }

    #[test]
    fn do_not_stand_before_what_the_operator_calls_safe() {
        let base = ClientConfigBase::Url("https://127.0.0.1:9443".to_owned());
        let reach = reach(
            "podSecurity: {allNamespaces: true}, safeNamespaces: {ingress: [n-ingress], images: [n-registry], \
             services: [n-service], endpoints: [n-endpoints], volumes: [n-volumes], pods: [n-pod]}",
        );
        for configuration in webhook_configurations(&base, Some("PEM"), &reach) {
            for webhook in configuration["webhooks"].as_array().unwrap() {
                let name = webhook["name"].as_str().unwrap();
                let own = format!("n-{}", name.split('-').next().unwrap());
                let exempt = webhook["namespaceSelector"]["matchExpressions"][0]["values"].clone();
                let exempt: Vec<String> = serde_json::from_value(exempt).unwrap();
                let safe: Vec<&String> = exempt.iter().filter(|name| name.starts_with("n-")).collect();
                assert_eq!(safe, [&own], "{name}");
            }
        }
    }

    #[test]
    fn have_addresses_without_a_double_slash() {
        assert_eq!(
            all_webhooks()[0]["clientConfig"]["url"],
            "https://127.0.0.1:9443/validate/ingress"
        );
    }
}
