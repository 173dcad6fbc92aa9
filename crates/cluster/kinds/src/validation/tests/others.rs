//! Metadata, settings, limits, and every kind once.

use serde_json::json;

use super::{cases, changed, check, with, wrong};
use crate::{Subresource, by_kind, validate_create, validate_update};

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
            "/spec/scopeSelector" => {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]} => "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value";
            "/spec/scopeSelector" => {"matchExpressions": [{"scopeName": "Terminating", "operator": "In", "values": ["a"]}]} => "spec.scopeSelector.matchExpressions.operator: Invalid value: \"In\": must be 'Exist' when scope";
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
            "/spec/limits/0/defaultRequest" => {"cpu": "500m"} => "spec.limits[0].defaultRequest[cpu]: Invalid value: \"500m\": min value 1 is greater than default request value 500m";
            "/spec/limits/0/default" => {"cpu": "3"} => "spec.limits[0].defaultRequest[cpu]: Invalid value: \"3\": default request value 3 is greater than max value 2\nspec.limits[0].default[cpu]: Invalid value: \"2\": default value 3 is greater than max value 2";
            "/spec/limits/0/maxLimitRequestRatio" => {"cpu": "500m"} => "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio 500m is less than 1";
            "/spec/limits/0/maxLimitRequestRatio" => {"cpu": "3"} => "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"3\": ratio 3 is greater than max/min = 2.000000";
            "/spec/limits/0" => {"type": "PersistentVolumeClaim"} => "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided";
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
    check(
        "coordination.k8s.io",
        "Lease",
        &json!({"metadata": {"name": "a"}, "spec": {}}),
        &cases! {
            "/spec/leaseDurationSeconds" => 0 => "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0";
            "/spec/preferredHolder" => "a" => "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined";
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
            "/spec/ingress" => [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "11.0.0.0/16"]}}]}] => "spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`";
            "/spec/ingress" => [{"from": [{"ipBlock": {"cidr": "::/0", "except": ["::/0"]}}]}] => "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"::/0\": must be a strict subset of `cidr`";
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
        "",
        "Node",
        &json!({"metadata": {"name": "a"}, "spec": {"taints": [{"key": "a/b", "effect": "NoSchedule"}]}}),
        &cases! {
            "/spec/taints/0" => {"key": "a b", "effect": "NoSchedule"} => "metadata.taints[0].key: Invalid value: \"a b\": name part must consist of";
            "/spec/taints/0" => {"key": "a"} => "metadata.taints[0].effect: Required value";
            "/spec/taints/0" => {"key": "a", "effect": "Never"} => "metadata.taints[0].effect: Unsupported value: \"Never\": supported values: \"NoSchedule\", \"PreferNoSchedule\", \"NoExecute\"";
            "/spec/taints" => [{"key": "a", "effect": "NoExecute"}, {"key": "a", "value": "b", "effect": "NoExecute"}] => "metadata.taints[1]: Duplicate value: {\"effect\":\"NoExecute\",\"key\":\"a\",\"value\":\"b\"}: taints must be unique by key and effect pair";
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
fn claims_for_volumes() {
    let claim = json!({"metadata": {"name": "a"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    check(
        "",
        "PersistentVolumeClaim",
        &claim,
        &cases! {
            "/spec/accessModes" => [] => "spec.accessModes: Required value: at least 1 access mode is required";
            "/spec/resources" => {} => "spec.resources[storage]: Required value";
            "/spec/accessModes" => ["X"] => "spec.accessModes: Unsupported value: \"X\": supported values: \"ReadOnlyMany\"";
            "/spec/accessModes" => ["ReadWriteOncePod", "ReadWriteOnce"] => "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes";
            "/spec/storageClassName" => "A" => "spec.storageClassName: Invalid value: \"A\": a lowercase RFC 1123 subdomain";
            "/spec/dataSource" => {"kind": "X", "name": "a"} => "spec.dataSource: Invalid value: \"X\": must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        },
    );
    let more = json!({"requests": {"storage": "2Gi"}});
    let said = changed(
        "",
        "PersistentVolumeClaim",
        &claim,
        "/spec/resources",
        more.clone(),
    );
    assert!(
        said.starts_with("spec: Forbidden: spec is immutable after creation except"),
        "{said}"
    );
    assert_eq!(
        changed(
            "",
            "PersistentVolumeClaim",
            &claim,
            "/spec/volumeName",
            json!("v")
        ),
        ""
    );
    let kind = by_kind("", "v1", "PersistentVolumeClaim").unwrap();
    let mut bound = with(&claim, "/metadata/namespace", json!("n"));
    bound["status"] = json!({"phase": "Bound", "capacity": {"storage": "1Gi"}});
    let update = |size: &str| {
        let new = with(&bound, "/spec/resources/requests/storage", json!(size));
        let errors = validate_update(kind, &bound, &new, None);
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(update("2Gi"), "");
    let at = "spec.resources.requests.storage";
    assert_eq!(
        update("1"),
        format!("{at}: Forbidden: field can not be less than status.capacity")
    );
}

#[test]
fn events_of_both_generations() {
    let old = json!({"metadata": {"name": "a"}, "involvedObject": {"namespace": "n"}, "eventTime": null});
    check(
        "",
        "Event",
        &old,
        &cases! {
            "/involvedObject" => {} => "involvedObject.namespace: Invalid value: \"\": does not match event.namespace";
            "/eventTime" => "2026-01-01T00:00:00.000000Z" => "reportingController: Required value";
        },
    );
    let new = json!({"metadata": {"name": "a"}, "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "r",
        "action": "a", "reportingController": "c", "reportingInstance": "i", "regarding": {"namespace": "n"}, "note": "n"});
    check(
        "events.k8s.io",
        "Event",
        &new,
        &cases! {
            "/type" => "X" => "type: Invalid value: \"\": has invalid value: X";
            "/action" => "" => "action: Required value";
            "/note" => ("x".repeat(1025)) => "message: Invalid value: \"\": can have at most 1024 characters";
            "/series" => {"count": 1, "lastObservedTime": "2026-01-01T00:00:00.000000Z"} => "series.count: Invalid value: \"\": should be at least 2";
            "/deprecatedCount" => 1 => "count: Invalid value: \"\": needs to be unset";
        },
    );
    let timeless = with(&new, "/eventTime", json!(null));
    assert!(wrong("events.k8s.io", "Event", &timeless).ends_with("eventTime: Required value"));
    let series = json!({"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"});
    assert_eq!(changed("events.k8s.io", "Event", &new, "/series", series), "");
    assert_eq!(
        changed("events.k8s.io", "Event", &new, "/note", json!("m")),
        "message: Invalid value: \"m\": field is immutable"
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
