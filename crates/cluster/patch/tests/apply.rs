//! Server-side apply: merging, ownership, conflicts and removal, as the Kubernetes documentation describes them.

#![expect(
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

use serde_json::{Value, json};
use toolforge_patch::{ApplyError, Conflict, TypeRef, apply, track_update};

const NOW: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-01-01T00:01:00Z";

fn deployment() -> TypeRef<'static> {
    TypeRef::of("apps", "v1", "Deployment")
}

fn with_spec(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
}

fn applied(live: Option<&Value>, config: &Value, manager: &str) -> Value {
    apply(deployment(), live, config, manager, false, NOW).unwrap()
}

fn updated(live: &Value, change: impl FnOnce(&mut Value), manager: &str) -> Value {
    let mut new = live.clone();
    change(&mut new);
    track_update(deployment(), Some(live), &mut new, manager, None, LATER);
    new
}

fn fields_of<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["manager"] == manager);
    entry.map_or(&Value::Null, |entry| &entry["fieldsV1"])
}

#[test]
fn the_first_apply_creates_and_owns() {
    let config = with_spec(
        json!({"replicas": 1, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}),
    );
    let object = applied(None, &config, "kubectl");
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{
            "manager": "kubectl", "operation": "Apply", "apiVersion": "apps/v1", "time": NOW, "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}}}}}}},
        }])
    );
    assert_eq!(object["spec"], config["spec"]);
}

#[test]
fn applying_the_same_again_changes_nothing_not_even_the_time() {
    let config = with_spec(json!({"replicas": 1}));
    let object = applied(None, &config, "kubectl");
    assert_eq!(
        apply(deployment(), Some(&object), &config, "kubectl", false, LATER),
        Ok(object)
    );
}

#[test]
fn a_conflict_names_the_updater_and_the_field() {
    let object = applied(None, &with_spec(json!({"replicas": 1})), "gitops");
    let scaled = updated(&object, |object| object["spec"]["replicas"] = json!(3), "kubectl");
    let refused = apply(
        deployment(),
        Some(&scaled),
        &with_spec(json!({"replicas": 1})),
        "gitops",
        false,
        NOW,
    );
    let conflict = Conflict {
        manager: "\"kubectl\" using apps/v1".to_owned(),
        field: ".spec.replicas".to_owned(),
    };
    assert_eq!(refused, Err(ApplyError::Conflicts(vec![conflict])));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas"
    );
}

#[test]
fn several_conflicts_are_listed_by_manager() {
    let object = applied(None, &with_spec(json!({"replicas": 1, "paused": false})), "one");
    let object = applied(Some(&object), &with_spec(json!({"minReadySeconds": 1})), "two");
    let config = with_spec(json!({"replicas": 2, "paused": true, "minReadySeconds": 2}));
    let refused = apply(deployment(), Some(&object), &config, "three", false, NOW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 3 conflicts: conflicts with \"one\":\n- .spec.paused\n- .spec.replicas\n\
         conflicts with \"two\":\n- .spec.minReadySeconds"
    );
}

#[test]
fn force_takes_the_field_over() {
    let object = applied(None, &with_spec(json!({"replicas": 1})), "one");
    let object = apply(
        deployment(),
        Some(&object),
        &with_spec(json!({"replicas": 2})),
        "two",
        true,
        NOW,
    )
    .unwrap();
    assert_eq!(object["spec"]["replicas"], 2);
    assert_eq!(fields_of(&object, "one"), &Value::Null);
    assert_eq!(fields_of(&object, "two"), &json!({"f:spec": {"f:replicas": {}}}));
}

#[test]
fn a_null_unsets_only_what_is_nobody_elses() {
    let object = applied(None, &with_spec(json!({"replicas": 1, "paused": true})), "one");
    let unset = with_spec(json!({"replicas": null}));
    let refused = apply(deployment(), Some(&object), &unset, "two", false, NOW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas"
    );
    let forced = apply(deployment(), Some(&object), &unset, "two", true, NOW).unwrap();
    assert_eq!(forced["spec"], json!({"paused": true}));
}

#[test]
fn who_applies_the_same_value_shares_it_and_the_last_owner_removes_it() {
    let with = with_spec(json!({"replicas": 1, "paused": true}));
    let without = with_spec(json!({"paused": true}));
    let object = applied(None, &with, "one");
    let object = applied(Some(&object), &with, "two");
    let object = applied(Some(&object), &without, "one");
    assert_eq!(object["spec"]["replicas"], 1);
    let object = applied(Some(&object), &without, "two");
    assert_eq!(object["spec"], without["spec"]);
}

#[test]
fn a_dropped_field_that_somebody_updated_stays_theirs() {
    let object = applied(None, &with_spec(json!({"replicas": 1, "paused": true})), "gitops");
    let object = updated(
        &object,
        |object| object["spec"]["replicas"] = json!(5),
        "autoscaler",
    );
    let object = applied(Some(&object), &with_spec(json!({"paused": true})), "gitops");
    assert_eq!(object["spec"]["replicas"], 5);
    assert_eq!(
        fields_of(&object, "autoscaler"),
        &json!({"f:spec": {"f:replicas": {}}})
    );
}

#[test]
fn a_dropped_container_goes_with_the_defaults_in_it() {
    let containers = |containers: Value| with_spec(json!({"template": {"spec": {"containers": containers}}}));
    let config = containers(json!([{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]));
    let mut object = applied(None, &config, "kubectl");
    object["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] = json!("Always");
    object["spec"]["template"]["spec"]["restartPolicy"] = json!("Always");
    let object = applied(
        Some(&object),
        &containers(json!([{"name": "a", "image": "i"}])),
        "kubectl",
    );
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"],
        json!([{"name": "a", "image": "i"}])
    );
    assert_eq!(object["spec"]["template"]["spec"]["restartPolicy"], "Always");
}

#[test]
fn a_port_without_protocol_is_the_one_that_got_the_default() {
    let service = TypeRef::of("", "v1", "Service");
    let config = |port: Value| json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [port]}});
    let mut object = apply(service, None, &config(json!({"port": 80})), "kubectl", false, NOW).unwrap();
    object["spec"]["ports"][0]["protocol"] = json!("TCP");
    object["spec"]["ports"][0]["targetPort"] = json!(80);
    let object = apply(
        service,
        Some(&object),
        &config(json!({"port": 80, "name": "http"})),
        "kubectl",
        false,
        LATER,
    );
    let object = object.unwrap();
    assert_eq!(
        object["spec"]["ports"],
        json!([{"port": 80, "protocol": "TCP", "targetPort": 80, "name": "http"}])
    );
    assert_eq!(
        fields_of(&object, "kubectl")["f:spec"]["f:ports"]["k:{\"port\":80,\"protocol\":\"TCP\"}"],
        json!({".": {}, "f:port": {}, "f:name": {}})
    );
}

#[test]
fn finalizers_are_a_set_and_tolerations_are_one_value() {
    let config =
        |finalizer: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"finalizers": [finalizer]}});
    let pod = TypeRef::of("", "v1", "Pod");
    let object = apply(pod, None, &config("a/a"), "one", false, NOW).unwrap();
    let object = apply(pod, Some(&object), &config("b/b"), "two", false, NOW).unwrap();
    assert_eq!(object["metadata"]["finalizers"], json!(["a/a", "b/b"]));
    assert_eq!(
        fields_of(&object, "two"),
        &json!({"f:metadata": {"f:finalizers": {"v:\"b/b\"": {}}}})
    );

    let tolerating =
        |key: &str| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"tolerations": [{"key": key}]}});
    let object = apply(pod, None, &tolerating("x"), "one", false, NOW).unwrap();
    let refused = apply(pod, Some(&object), &tolerating("y"), "two", false, NOW).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.tolerations"
    );
}

#[test]
fn items_that_only_others_applied_keep_their_place() {
    let containers = |names: &[&str]| {
        let containers: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
        with_spec(json!({"template": {"spec": {"containers": containers}}}))
    };
    let object = applied(None, &containers(&["a", "b", "c"]), "one");
    let object = applied(Some(&object), &containers(&["c", "new", "a"]), "two");
    let names: Vec<_> = object["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(
        names,
        ["b", "c", "new", "a"]
            .map(|name| json!({ "name": name }))
            .iter()
            .collect::<Vec<_>>()
    );
}

#[test]
fn labels_are_owned_one_by_one() {
    let labelled = |labels: Value| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": labels}});
    let object = applied(None, &labelled(json!({"a": "1"})), "one");
    let object = applied(Some(&object), &labelled(json!({"b": "1"})), "two");
    let object = applied(Some(&object), &labelled(json!({})), "one");
    assert_eq!(object["metadata"]["labels"], json!({"b": "1"}));
}

#[test]
fn what_was_there_before_anybody_was_known_is_in_conflict() {
    let object = with_spec(json!({"replicas": 3}));
    let refused = apply(
        deployment(),
        Some(&object),
        &with_spec(json!({"replicas": 1})),
        "kubectl",
        false,
        NOW,
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using apps/v1: .spec.replicas"
    );
}

#[test]
fn lists_with_unclear_items_are_refused() {
    for containers in [
        json!([{"image": "i"}]),
        json!([{"name": "a"}, {"name": "a"}]),
        json!(["a"]),
    ] {
        let config = with_spec(json!({"template": {"spec": {"containers": containers}}}));
        let refused = apply(deployment(), None, &config, "kubectl", false, NOW);
        assert!(
            matches!(refused, Err(ApplyError::Malformed(_))),
            "{config}: {refused:?}"
        );
    }
}

#[test]
fn a_configuration_must_not_name_managers() {
    let object = applied(None, &with_spec(json!({"replicas": 1})), "kubectl");
    assert_eq!(
        apply(deployment(), None, &object, "kubectl", false, NOW),
        Err(ApplyError::NamesManagers)
    );
}

#[test]
fn unknown_kinds_are_merged_field_by_field_with_lists_as_one_value() {
    let crates = TypeRef::of("example.org", "v1", "Crate");
    let object = |spec: Value| json!({"apiVersion": "example.org/v1", "kind": "Crate", "spec": spec});
    let one = apply(
        crates,
        None,
        &object(json!({"a": {"x": 1}, "list": [1]})),
        "one",
        false,
        NOW,
    )
    .unwrap();
    let two = apply(
        crates,
        Some(&one),
        &object(json!({"a": {"y": 2}})),
        "two",
        false,
        NOW,
    )
    .unwrap();
    assert_eq!(two["spec"], json!({"a": {"x": 1, "y": 2}, "list": [1]}));
    assert_eq!(
        fields_of(&two, "two"),
        &json!({"f:spec": {".": {}, "f:a": {".": {}, "f:y": {}}}})
    );
    let three = apply(crates, Some(&two), &object(json!({})), "one", false, NOW).unwrap();
    assert_eq!(three["spec"], json!({"a": {"y": 2}}));
}
