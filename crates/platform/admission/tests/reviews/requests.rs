//! What the API asks the guards.

use serde_json::{Value, json};

pub(crate) const GOOD: &str = "docker-registry.tools.wmflabs.org/toolforge-php73-sssd-web:latest";
pub(crate) const OTHER: &str = "tools-harbor.wmcloud.org/tool-alpha/web:1";

pub(crate) const INGRESS: (&str, &str, &str) = ("networking.k8s.io", "v1", "Ingress");
const POD: (&str, &str, &str) = ("", "v1", "Pod");

pub(crate) fn request(kind: (&str, &str, &str), namespace: &str, object: &Value) -> Value {
    let (group, version, kind) = kind;
    json!({
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": kind},
        "namespace": namespace,
        "operation": "CREATE",
        "object": object,
    })
}

pub(crate) fn ingress(namespace: &str, hosts: &[&str]) -> Value {
    let rules: Vec<Value> = hosts.iter().map(|host| json!({ "host": host })).collect();
    request(INGRESS, namespace, &json!({"spec": {"rules": rules}}))
}

pub(crate) fn pod(namespace: &str, spec: &Value) -> Value {
    request(
        POD,
        namespace,
        &json!({"metadata": {"name": "web"}, "spec": spec}),
    )
}

pub(crate) fn with_image(image: &str) -> Value {
    json!({"containers": [{"name": "web", "image": image}]})
}
