use serde_json::{Value, json};

use super::{ServicePolicy, admit_service};
use crate::Verdict;

fn verdict_in(namespace: &str, spec: &Value) -> Verdict {
    let service = serde_json::from_value(json!({ "spec": spec })).unwrap();
    let policy = ServicePolicy {
        safe_namespaces: ["tool-fourohfour".to_owned()].into(),
        ..ServicePolicy::default()
    };
    admit_service(&policy, namespace, &service)
}

#[test]
fn admits_services_inside_the_cluster() {
    for spec in [
        json!({}),
        json!({"type": "ClusterIP"}),
        json!({"clusterIP": "None", "selector": {"name": "alpha"}}),
    ] {
        assert!(verdict_in("tool-alpha", &spec).is_allowed());
    }
}

#[test]
fn refuses_services_that_leave_it() {
    for (spec, field) in [
        (json!({"type": "NodePort"}), "spec.type"),
        (json!({"type": "LoadBalancer"}), "spec.type"),
        (
            json!({"type": "ExternalName", "externalName": "x.example"}),
            "spec.type",
        ),
        (json!({"type": "Unknown"}), "spec.type"),
        (json!({"externalName": "x.example"}), "spec.externalName"),
        (json!({"externalIPs": ["192.0.2.1"]}), "spec.externalIPs[0]"),
    ] {
        let verdict = verdict_in("tool-alpha", &spec);
        assert_eq!(
            verdict.offences().first().map(|offence| offence.field.as_str()),
            Some(field)
        );
    }
}

#[test]
fn looks_away_where_no_tool_lives() {
    for namespace in ["kube-system", "default", "tool-fourohfour"] {
        assert!(verdict_in(namespace, &json!({"type": "NodePort"})).is_allowed());
    }
}

#[test]
fn admits_types_that_are_configured() {
    let policy = ServicePolicy {
        allowed_types: ["NodePort".to_owned()].into(),
        ..ServicePolicy::default()
    };
    let service = |kind: &str| serde_json::from_value(json!({"spec": {"type": kind}})).unwrap();
    assert!(admit_service(&policy, "tool-alpha", &service("NodePort")).is_allowed());
    assert!(!admit_service(&policy, "tool-alpha", &service("LoadBalancer")).is_allowed());
}
