//! Metadata, settings, limits, and every kind once.

use serde_json::json;

use super::{cases, changed, check, with};
use crate::{Subresource, validate_create, validate_update};

#[test]
fn metadata_that_never_changes() {
    let good = json!({"metadata": {"name": "a", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}, "data": {}});
    for (pointer, value) in [
        ("/metadata/name", json!("b")),
        ("/metadata/uid", json!("v")),
        ("/metadata/namespace", json!("m")),
    ] {
        let said = changed("", "ConfigMap", &good, pointer, value.clone());
        let field = pointer.trim_start_matches('/').replace('/', ".");
        assert_eq!(
            said,
            format!("{field}: Invalid value: {value}: field is immutable")
        );
    }
}

#[test]
fn config_maps_and_secrets() {
    let map = json!({"metadata": {"name": "a"}, "data": {"k": "v"}, "binaryData": {}});
    check(
        "",
        "ConfigMap",
        &map,
        &cases! {
            "/data" => {"a/b": ""} => "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of";
            "/binaryData" => {"k": ""} => "data[k]: Invalid value: \"k\": duplicate of key present in binaryData";
            "/data" => {"k": "x".repeat(1024 * 1024 + 1)} => "[]: Too long: may not be more than 1048576 bytes";
        },
    );
    let secret = json!({"metadata": {"name": "a"}, "data": {"k": "dg=="}});
    check(
        "",
        "Secret",
        &secret,
        &cases! {
            "/type" => "kubernetes.io/tls" => "data[tls.crt]: Required value\ndata[tls.key]: Required value";
            "/data" => {"a b": ""} => "data[a b]: Invalid value: \"a b\"";
        },
    );
    assert_eq!(
        changed("", "Secret", &secret, "/type", json!("x")),
        "type: Invalid value: \"x\": field is immutable"
    );
    let fixed = with(&map, "/immutable", json!(true));
    assert_eq!(
        changed("", "ConfigMap", &fixed, "/data", json!({})),
        "data: Forbidden: field is immutable when `immutable` is set"
    );
}

#[test]
fn quotas_and_limits() {
    let quota =
        json!({"metadata": {"name": "a"}, "spec": {"hard": {"pods": "4", "count/deployments.apps": "3"}}});
    check(
        "",
        "ResourceQuota",
        &quota,
        &cases! {
            "/spec/hard" => {"x": "1"} => "spec.hard[x]: Invalid value: \"x\": must be a standard resource for quota";
            "/spec/hard" => {"pods": "-1"} => "spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0";
            "/spec/hard" => {"pods": "1500m"} => "spec.hard[pods]: Invalid value: \"1500m\": must be an integer";
            "/spec/scopes" => ["Odd"] => "spec.scopes: Invalid value: [\"Odd\"]: unsupported scope";
            "/spec/scopes" => ["BestEffort", "NotBestEffort"] => "spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\"]: conflicting scopes";
            "/spec" => {"hard": {"cpu": "1"}, "scopes": ["BestEffort"]} => "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource";
            "/spec/scopeSelector" => {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]} => "spec.scopeSelector.matchExpressions[0].values: Required value: must be at least one value";
            "/spec/scopeSelector" => {"matchExpressions": [{"scopeName": "Terminating", "operator": "In", "values": ["a"]}]} => "spec.scopeSelector.matchExpressions[0].operator: Invalid value: \"In\": must be 'Exist' when scope";
        },
    );
    let scoped = with(&quota, "/spec/scopes", json!(["Terminating", "NotBestEffort"]));
    let turned = json!(["NotBestEffort", "Terminating"]);
    assert_eq!(changed("", "ResourceQuota", &scoped, "/spec/scopes", turned), "");
    let refused = changed(
        "",
        "ResourceQuota",
        &scoped,
        "/spec/scopes",
        json!(["Terminating"]),
    );
    assert!(
        refused.contains("spec.scopes: Invalid value: [\"Terminating\"]: field is immutable"),
        "{refused}"
    );
    let limits = json!({"metadata": {"name": "a"}, "spec": {"limits": [{"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "2"}}]}});
    check(
        "",
        "LimitRange",
        &limits,
        &cases! {
            "/spec/limits/0/min" => {"cpu": "3"} => "spec.limits[0].min[cpu]: Invalid value: \"3\": min value 3 is greater than max value 2";
            "/spec/limits/0" => {"type": "Pod", "default": {"cpu": "1"}} => "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'";
        },
    );
}

#[test]
fn everything_else() {
    let slice = json!({"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"port": 1}]});
    check(
        "discovery.k8s.io",
        "EndpointSlice",
        &slice,
        &cases! {
            "/addressType" => "X" => "addressType: Unsupported value: \"X\"";
            "/endpoints/0/addresses" => [] => "endpoints[0].addresses: Required value: must contain at least 1 address";
            "/endpoints/0/addresses" => ["x"] => "endpoints[0].addresses[0]: Invalid value: \"x\": must be a valid IP address";
        },
    );
    let budget = json!({"metadata": {"name": "a"}, "spec": {"minAvailable": 1}});
    check(
        "policy",
        "PodDisruptionBudget",
        &budget,
        &cases! {
            "/spec" => {"minAvailable": 1, "maxUnavailable": 1} => "spec: Invalid value: {\"maxUnavailable\":1,\"minAvailable\":1}: minAvailable and maxUnavailable cannot be both set";
        },
    );
    let claim = json!({"metadata": {"name": "a"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    check(
        "",
        "PersistentVolumeClaim",
        &claim,
        &cases! {
            "/spec/accessModes" => [] => "spec.accessModes: Required value: at least 1 access mode is required";
            "/spec/resources" => {} => "spec.resources[storage]: Required value";
        },
    );
    check(
        "coordination.k8s.io",
        "Lease",
        &json!({"metadata": {"name": "a"}, "spec": {}}),
        &cases! {
            "/spec/leaseDurationSeconds" => 0 => "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0";
        },
    );
    check(
        "networking.k8s.io",
        "IngressClass",
        &json!({"metadata": {"name": "a"}, "spec": {"controller": "a.b/c"}}),
        &cases! {
            "/spec/controller" => "a" => "spec.controller: Invalid value: \"a\": must be a domain-prefixed path";
        },
    );
    check(
        "networking.k8s.io",
        "NetworkPolicy",
        &json!({"metadata": {"name": "a"}, "spec": {"podSelector": {}}}),
        &cases! {
            "/spec/ingress" => [{"from": [{}]}] => "spec.ingress[0].from[0]: Required value: must specify a peer";
        },
    );
    check(
        "",
        "Namespace",
        &json!({"metadata": {"name": "a"}}),
        &cases! {
            "/metadata/name" => "a.b" => "metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label";
            "/metadata/namespace" => "x" => "metadata.namespace: Forbidden: not allowed on this type";
        },
    );
    check(
        "authorization.k8s.io",
        "SubjectAccessReview",
        &json!({"spec": {"user": "u", "resourceAttributes": {"verb": "get"}}}),
        &cases! {
            "/spec/user" => "" => "spec.user: Invalid value: \"\": at least one of user or group must be specified";
            "/spec/resourceAttributes" => null => "spec.resourceAttributes: Invalid value: null: exactly one of";
        },
    );
}

#[test]
fn nothing_panics_on_objects_of_the_wrong_shape() {
    let odd = [
        json!({}),
        json!({"metadata": 1, "spec": 2}),
        json!({"metadata": {"labels": [1], "ownerReferences": [1], "finalizers": {}}, "spec": {"template": [], "containers": [1, {"ports": [1]}],
            "rules": [{"http": {"paths": [1]}}], "ports": [null]}, "webhooks": [1], "rules": [1], "subjects": [1], "roleRef": []}),
    ];
    for kind in crate::all() {
        for old in &odd {
            validate_create(kind, old);
            for new in &odd {
                for subresource in [None, Some(Subresource::Status), Some(Subresource::Approval)] {
                    validate_update(kind, old, new, subresource);
                    let mut new = new.clone();
                    crate::prepare_for_update(kind, old, &mut new, subresource);
                }
            }
        }
    }
}
