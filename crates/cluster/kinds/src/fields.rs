//! The values that field selectors compare. Which fields a kind knows is fixed, as in Kubernetes.

use serde_json::Value;

use crate::kind::Kind;
use crate::value::{Read as _, text_at};

/// The value of a field for a field selector; `None` says that the kind does not know the field.
///
/// A known field that the object does not have is empty.
pub fn field_value(kind: &Kind, object: &Value, field: &str) -> Option<String> {
    let known = match field {
        "metadata.name" => true,
        "metadata.namespace" => kind.namespaced,
        _ => known_fields(kind).contains(&field),
    };
    if !known {
        return None;
    }
    if kind.key() == ("", "Event") && field == "source" {
        return Some(event_source(object).to_owned());
    }
    let path: Vec<&str> = field.split('.').collect();
    Some(match object.at(&path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => default_of(kind, field).to_owned(),
        Some(other) => other.to_string(),
    })
}

/// Flags read as `false` where they are not set.
fn default_of(kind: &Kind, field: &str) -> &'static str {
    match (kind.kind, field) {
        ("Node", "spec.unschedulable") | ("Pod", "spec.hostNetwork") => "false",
        ("ReplicaSet", "status.replicas") | ("Job", "status.successful") => "0",
        _ => "",
    }
}

fn event_source(object: &Value) -> &str {
    let source = text_at(object, &["source", "component"]);
    if source.is_empty() {
        object.text("reportingComponent")
    } else {
        source
    }
}

fn known_fields(kind: &Kind) -> &'static [&'static str] {
    match kind.key() {
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "Namespace") => &["status.phase"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("apps", "ReplicaSet") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        ("certificates.k8s.io", "CertificateSigningRequest") => &["spec.signerName"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::by_kind;

    #[test]
    fn knows_the_fields_of_each_kind() {
        let pod = by_kind("", "v1", "Pod").unwrap();
        let object = json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"nodeName": "x"}});
        let cases = [
            ("metadata.name", Some("a")),
            ("metadata.namespace", Some("n")),
            ("spec.nodeName", Some("x")),
            ("status.phase", Some("")),
            ("spec.hostNetwork", Some("false")),
            ("spec.containers", None),
        ];
        for (field, expected) in cases {
            assert_eq!(field_value(pod, &object, field).as_deref(), expected, "{field}");
        }
        let node = by_kind("", "v1", "Node").unwrap();
        assert_eq!(field_value(node, &object, "metadata.namespace"), None);
        assert_eq!(
            field_value(node, &object, "spec.unschedulable").as_deref(),
            Some("false")
        );
    }
}
