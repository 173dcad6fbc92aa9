//! Strategic merge patch against the examples of the Kubernetes documentation and what `kubectl` sends.

#![expect(clippy::needless_pass_by_value, reason = "helpers of tests")]

use serde_json::{Value, json};
use toolforge_patch::{PatchError, TypeRef, strategic_merge};

fn deployment() -> TypeRef<'static> {
    TypeRef::of("apps", "v1", "Deployment")
}

fn pod() -> TypeRef<'static> {
    TypeRef::of("", "v1", "Pod")
}

#[track_caller]
fn assert_pod_spec(original: Value, patch: Value, expected: Value) {
    let merged = strategic_merge(pod(), &json!({ "spec": original }), &json!({ "spec": patch }));
    assert_eq!(merged, Ok(json!({ "spec": expected })));
}

#[test]
fn a_new_container_comes_before_those_that_the_patch_does_not_name() {
    let object = json!({"spec": {"template": {"spec": {"containers": [{"name": "ctr", "image": "nginx"}]}}}});
    let patch =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "ctr-2", "image": "redis"}]}}}});
    let merged = strategic_merge(deployment(), &object, &patch).unwrap();
    assert_eq!(
        merged["spec"]["template"]["spec"]["containers"],
        json!([{"name": "ctr-2", "image": "redis"}, {"name": "ctr", "image": "nginx"}])
    );
}

#[test]
fn the_environment_of_a_container_is_merged_by_name() {
    assert_pod_spec(
        json!({"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}),
        json!({"containers": [{"name": "c", "env": [{"name": "B", "value": "3"}]}]}),
        json!({"containers": [{"name": "c", "image": "i", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]}]}),
    );
}

#[test]
fn ports_are_merged_by_container_port() {
    assert_pod_spec(
        json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}),
        json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "name": "http"}]}]}),
        json!({"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]}]}),
    );
}

#[test]
fn tolerations_are_replaced() {
    assert_pod_spec(
        json!({"tolerations": [{"effect": "NoSchedule", "key": "dedicated"}]}),
        json!({"tolerations": [{"effect": "NoExecute", "key": "disktype"}]}),
        json!({"tolerations": [{"effect": "NoExecute", "key": "disktype"}]}),
    );
}

#[test]
fn finalizers_are_united_and_removed_by_directive() {
    let object = json!({"metadata": {"finalizers": ["a", "b"]}});
    let added = strategic_merge(pod(), &object, &json!({"metadata": {"finalizers": ["b", "c"]}})).unwrap();
    let mut finalizers: Vec<_> = added["metadata"]["finalizers"].as_array().unwrap().clone();
    finalizers.sort_by_key(Value::to_string);
    assert_eq!(finalizers, ["a", "b", "c"]);
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}});
    let removed = strategic_merge(pod(), &object, &patch);
    assert_eq!(removed, Ok(json!({"metadata": {"finalizers": ["b"]}})));
}

#[test]
fn null_removes_and_is_not_stored() {
    assert_pod_spec(
        json!({"hostname": "a", "nodeName": "n"}),
        json!({"hostname": null, "subdomain": null, "securityContext": {"runAsUser": 1, "runAsGroup": null}}),
        json!({"nodeName": "n", "securityContext": {"runAsUser": 1}}),
    );
}

#[test]
fn directives_replace_and_delete_maps() {
    assert_pod_spec(
        json!({"securityContext": {"runAsUser": 1, "runAsGroup": 1}}),
        json!({"securityContext": {"$patch": "replace", "runAsUser": 2}}),
        json!({"securityContext": {"runAsUser": 2}}),
    );
    assert_pod_spec(
        json!({"securityContext": {"runAsUser": 1}}),
        json!({"securityContext": {"$patch": "delete"}}),
        json!({"securityContext": {}}),
    );
    assert_pod_spec(
        json!({"securityContext": {"runAsUser": 1}}),
        json!({"securityContext": {"$patch": "merge", "runAsGroup": 2}}),
        json!({"securityContext": {"runAsUser": 1, "runAsGroup": 2}}),
    );
}

#[test]
fn directives_replace_lists_and_delete_items() {
    let containers = json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]);
    assert_pod_spec(
        json!({ "containers": containers }),
        json!({"containers": [{"name": "a", "$patch": "delete"}]}),
        json!({"containers": [{"name": "b", "image": "1"}]}),
    );
    assert_pod_spec(
        json!({ "containers": containers }),
        json!({"containers": [{"$patch": "replace"}, {"name": "c", "image": "2"}]}),
        json!({"containers": [{"name": "c", "image": "2"}]}),
    );
}

#[test]
fn the_order_that_the_patch_demands_holds_around_items_that_it_does_not_know() {
    let named = |names: &[&str]| {
        names
            .iter()
            .map(|name| json!({ "name": name }))
            .collect::<Vec<_>>()
    };
    assert_pod_spec(
        json!({"containers": named(&["a", "server", "b", "c"])}),
        json!({
            "$setElementOrder/containers": named(&["c", "new", "a"]),
            "containers": [{"name": "new"}, {"name": "b", "$patch": "delete"}],
        }),
        json!({"containers": named(&["server", "c", "new", "a"])}),
    );
}

#[test]
fn retained_keys_drop_the_others() {
    let object = json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    let merged = strategic_merge(deployment(), &object, &patch);
    assert_eq!(merged, Ok(json!({"spec": {"strategy": {"type": "Recreate"}}})));
}

#[test]
fn a_volume_changes_its_kind_with_retained_keys() {
    assert_pod_spec(
        json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
        json!({"volumes": [{"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "m"}}]}),
        json!({"volumes": [{"name": "v", "configMap": {"name": "m"}}]}),
    );
}

#[test]
fn patches_that_make_no_sense_are_refused() {
    let object = json!({"metadata": {"finalizers": ["a"]}, "spec": {"containers": [{"name": "a"}]}});
    for patch in [
        json!([]),
        json!({"$patch": "reverse"}),
        json!({"spec": {"$retainKeys": "containers"}}),
        json!({"spec": {"$retainKeys": ["volumes"], "containers": []}}),
        json!({"spec": {"containers": [{"image": "without name"}]}}),
        json!({"spec": {"containers": ["a"]}}),
        json!({"spec": {"containers": [{"$patch": "delete"}]}}),
        json!({"spec": {"$setElementOrder/containers": {}}}),
        json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b"}]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}),
        json!({"metadata": {"finalizers": [{"name": "a"}]}}),
    ] {
        let refused = strategic_merge(pod(), &object, &patch);
        assert!(
            matches!(refused, Err(PatchError::Malformed(_))),
            "{patch}: {refused:?}"
        );
    }
}
