//! Which webhooks are asked about which writes.

use std::sync::Arc;

use serde_json::json;
use toolforge_kinds::by_kind;

use super::*;
use crate::attributes::User;

struct Tools;

impl World for Tools {
    fn list(&self, _: &str, _: &str, _: Option<&str>) -> Vec<Arc<Value>> {
        Vec::new()
    }

    fn get(&self, _: &str, plural: &str, _: Option<&str>, name: &str) -> Option<Arc<Value>> {
        let tenancy = if name.starts_with("tool-") {
            "tool"
        } else {
            "platform"
        };
        (plural == "namespaces").then(|| Arc::new(json!({"metadata": {"labels": {"tenancy": tenancy}}})))
    }
}

fn attributes(group: &str, kind: &str, operation: Operation) -> Attributes {
    let version = "v1";
    let kind = by_kind(group, version, kind).unwrap();
    Attributes {
        kind,
        operation,
        subresource: None,
        namespace: kind.namespaced.then(|| "tool-x".to_owned()),
        name: "x".to_owned(),
        user: User::default(),
        dry_run: false,
        options: Value::Null,
        annotations: crate::Annotations::default(),
    }
}

fn webhook(fields: &Value) -> Webhook {
    let mut webhook = json!({"name": "w", "clientConfig": {}});
    webhook
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    serde_json::from_value(webhook).unwrap()
}

fn rule(resource: &str) -> Value {
    json!({"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": [resource]})
}

fn asks(fields: &Value, attributes: &Attributes, object: &Value) -> bool {
    wanted_kind(&Tools, &webhook(fields), attributes, Some(object), None).is_some()
}

#[test]
fn resources_are_named_with_their_subresources() {
    for (pattern, subresource, expected) in [
        ("pods", "", true),
        ("pods", "status", false),
        ("pods/status", "status", true),
        ("pods/status", "", false),
        ("pods/*", "status", true),
        ("pods/*", "", true),
        ("services", "", false),
        ("*", "", true),
        ("*", "status", false),
        ("*/status", "status", true),
        ("*/*", "status", true),
        ("*/*", "", true),
    ] {
        assert_eq!(
            names_resource(pattern, "pods", subresource),
            expected,
            "{pattern} {subresource}"
        );
    }
}

#[test]
fn a_rule_must_match_in_all_its_parts() {
    let create = attributes("", "Pod", Operation::Create);
    assert!(asks(&json!({"rules": [rule("pods")]}), &create, &json!({})));
    assert!(
        asks(
            &json!({"rules": [rule("services"), rule("*")]}),
            &create,
            &json!({})
        ),
        "any rule will do"
    );
    assert!(
        !asks(&json!({}), &create, &json!({})),
        "without rules nothing is asked"
    );
    assert!(!asks(
        &json!({"rules": [rule("pods")]}),
        &attributes("", "Pod", Operation::Update),
        &json!({})
    ));
    for (part, value) in [
        ("apiGroups", "apps"),
        ("apiVersions", "v2"),
        ("operations", "DELETE"),
        ("scope", "Cluster"),
    ] {
        let mut rule = rule("pods");
        rule[part] = if part == "scope" {
            json!(value)
        } else {
            json!([value])
        };
        assert!(!asks(&json!({"rules": [rule]}), &create, &json!({})), "{part}");
    }
}

#[test]
fn cluster_scope_means_namespaces_too() {
    let mut cluster = rule("*");
    cluster["scope"] = json!("Cluster");
    assert!(asks(
        &json!({"rules": [cluster]}),
        &attributes("", "Namespace", Operation::Create),
        &json!({})
    ));
}

#[test]
fn the_namespace_is_selected_by_its_labels() {
    let fields = json!({"rules": [rule("*")], "namespaceSelector": {"matchLabels": {"tenancy": "tool"}}});
    let mut pod = attributes("", "Pod", Operation::Create);
    assert!(asks(&fields, &pod, &json!({})));
    pod.namespace = Some("kube-system".to_owned());
    assert!(!asks(&fields, &pod, &json!({})));
    let namespace = attributes("", "Namespace", Operation::Create);
    assert!(asks(
        &fields,
        &namespace,
        &json!({"metadata": {"labels": {"tenancy": "tool"}}})
    ));
    assert!(!asks(&fields, &namespace, &json!({})));
    assert!(
        asks(&fields, &attributes("", "Node", Operation::Create), &json!({})),
        "nodes are in no namespace"
    );
}

#[test]
fn the_object_is_selected_by_its_labels_before_or_after() {
    let fields = json!({"rules": [rule("pods")], "objectSelector": {"matchLabels": {"toolforge": "tool"}}});
    let labelled = json!({"metadata": {"labels": {"toolforge": "tool"}}});
    let create = attributes("", "Pod", Operation::Create);
    assert!(asks(&fields, &create, &labelled));
    assert!(!asks(&fields, &create, &json!({})));
    let webhook = webhook(&fields);
    assert!(wanted_kind(&Tools, &webhook, &create, Some(&json!({})), Some(&labelled)).is_some());
}

#[test]
fn the_same_objects_under_another_group_are_found_unless_exactness_is_wanted() {
    let event = attributes("events.k8s.io", "Event", Operation::Create);
    let fields = json!({"rules": [rule("events")]});
    let found = wanted_kind(&Tools, &webhook(&fields), &event, Some(&json!({})), None).unwrap();
    assert_eq!(found.group, "");
    let fields = json!({"rules": [rule("events")], "matchPolicy": "Exact"});
    assert!(!asks(&fields, &event, &json!({})));
}

#[test]
fn webhook_configurations_are_never_sent_to_webhooks() {
    for kind in ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] {
        assert!(is_exempt(&attributes(GROUP, kind, Operation::Delete)));
    }
    assert!(!is_exempt(&attributes("", "Pod", Operation::Create)));
}
