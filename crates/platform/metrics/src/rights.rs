//! What the component may do, and the object by which the API finds it. Pure.

use serde_json::{Value, json};

/// Where the component's Service is.
pub const NAMESPACE: &str = "toolforge-system";
/// The Service's name.
pub const SERVICE: &str = "metrics";

const LOOK: [&str; 2] = ["list", "watch"];

/// The rules of the component's `ClusterRole`. Beside them it needs the Role `extension-apiserver-authentication-reader` of
/// `kube-system`.
pub fn service_rules() -> Vec<Value> {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    vec![
        rule("", &["nodes/proxy"], &["get"]),
        // Whoever does not come by way of the API is asked about there.
        rule("authentication.k8s.io", &["tokenreviews"], &["create"]),
        rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]),
        rule(
            "",
            &[
                "endpoints",
                "limitranges",
                "namespaces",
                "nodes",
                "persistentvolumeclaims",
                "pods",
                "resourcequotas",
                "services",
            ],
            &LOOK,
        ),
        rule(
            "admissionregistration.k8s.io",
            &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
            &LOOK,
        ),
        rule("apps", &["deployments", "replicasets", "statefulsets"], &LOOK),
        rule("autoscaling", &["horizontalpodautoscalers"], &LOOK),
        rule("batch", &["cronjobs", "jobs"], &LOOK),
        rule("certificates.k8s.io", &["certificatesigningrequests"], &LOOK),
        rule("coordination.k8s.io", &["leases"], &LOOK),
        rule("discovery.k8s.io", &["endpointslices"], &LOOK),
        rule(
            "networking.k8s.io",
            &["ingressclasses", "ingresses", "networkpolicies"],
            &LOOK,
        ),
        rule("policy", &["poddisruptionbudgets"], &LOOK),
    ]
}

/// The object that has the API ask the component; `ca_bundle` is the authority of its certificate, in base64.
pub fn api_service(ca_bundle: &str) -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": { "name": "v1beta1.metrics.k8s.io" },
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            // Those of metrics-server.
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": { "namespace": NAMESPACE, "name": SERVICE, "port": 443 },
            "caBundle": ca_bundle,
        },
    })
}
