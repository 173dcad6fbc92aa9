//! Managed fields of plain creates and updates.

#![expect(clippy::needless_pass_by_value, reason = "helpers of tests")]

use serde_json::{Value, json};
use toolforge_patch::{TypeRef, track_update};

const NOW: &str = "2026-01-01T00:00:00Z";
const LATER: &str = "2026-01-01T00:01:00Z";

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "uid": "u"}, "data": data})
}

fn tracked(old: Option<&Value>, mut new: Value, manager: &str, now: &str) -> Value {
    track_update(
        TypeRef::of("", "v1", "ConfigMap"),
        old,
        &mut new,
        manager,
        None,
        now,
    );
    new
}

#[test]
fn the_creator_owns_what_it_set_but_not_the_name() {
    let object = tracked(None, config_map(json!({"a": "1"})), "kubectl-create", NOW);
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{
            "manager": "kubectl-create", "operation": "Update", "apiVersion": "v1", "time": NOW,
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:a": {}}},
        }])
    );
}

#[test]
fn an_update_that_changes_nothing_leaves_all_as_it_is() {
    let object = tracked(None, config_map(json!({"a": "1"})), "one", NOW);
    assert_eq!(tracked(Some(&object), object.clone(), "two", LATER), object);
}

#[test]
fn a_writer_that_does_not_know_managed_fields_does_not_lose_them() {
    let object = tracked(None, config_map(json!({"a": "1"})), "one", NOW);
    assert_eq!(
        tracked(Some(&object), config_map(json!({"a": "1"})), "one", LATER),
        object
    );
}

#[test]
fn changed_fields_change_hands_and_removed_ones_are_nobodys() {
    let object = tracked(
        None,
        config_map(json!({"a": "1", "b": "1", "c": "1"})),
        "one",
        NOW,
    );
    let object = tracked(
        Some(&object),
        config_map(json!({"a": "1", "b": "2"})),
        "two",
        LATER,
    );
    let managers = object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.len(), 2);
    assert_eq!(managers[0]["fieldsV1"], json!({"f:data": {".": {}, "f:a": {}}}));
    assert_eq!(managers[1]["fieldsV1"], json!({"f:data": {"f:b": {}}}));
    assert_eq!(
        (&managers[0]["time"], &managers[1]["time"]),
        (&json!(NOW), &json!(LATER))
    );
}

#[test]
fn each_subresource_has_a_manager_of_its_own() {
    let deployment = TypeRef::of("apps", "v1", "Deployment");
    let old = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}});
    let mut new = old.clone();
    new["status"] = json!({"replicas": 1, "conditions": [{"type": "Available", "status": "True"}]});
    track_update(
        deployment,
        Some(&old),
        &mut new,
        "controller",
        Some("status"),
        NOW,
    );
    let entry = &new["metadata"]["managedFields"][0];
    assert_eq!(entry["subresource"], "status");
    assert_eq!(
        entry["fieldsV1"]["f:status"]["f:conditions"],
        json!({".": {}, "k:{\"type\":\"Available\"}": {".": {}, "f:type": {}, "f:status": {}}})
    );
}

#[test]
fn an_empty_entry_forgets_all_managers() {
    let object = tracked(None, config_map(json!({"a": "1"})), "one", NOW);
    let mut reset = object.clone();
    reset["metadata"]["managedFields"] = json!([{}]);
    assert_eq!(
        tracked(Some(&object), reset, "two", LATER)["metadata"].get("managedFields"),
        None
    );
}

#[test]
fn illegible_managed_fields_are_replaced_by_those_that_were_there() {
    let object = tracked(None, config_map(json!({"a": "1"})), "one", NOW);
    let mut garbled = object.clone();
    garbled["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Steal"}]);
    assert_eq!(tracked(Some(&object), garbled, "two", LATER), object);
}

#[test]
fn the_oldest_of_many_updaters_are_put_together() {
    let mut object = config_map(json!({}));
    for number in 0..15 {
        let mut next = object.clone();
        next["data"][format!("key{number}")] = json!("1");
        object = tracked(
            Some(&object),
            next,
            &format!("manager{number}"),
            &format!("2026-01-01T00:00:{number:02}Z"),
        );
    }
    let managers = object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managers.len(), 10);
    assert_eq!(managers[0]["manager"], "ancient-changes");
    assert_eq!(managers[0]["fieldsV1"]["f:data"].as_object().unwrap().len(), 6);
    assert_eq!(managers[9]["manager"], "manager14");
}

fn owned(kind: (&str, &str, &str), mut object: Value) -> Value {
    let schema = TypeRef::of(kind.0, kind.1, kind.2);
    track_update(schema, None, &mut object, "kubectl-create", None, NOW);
    object["metadata"]["managedFields"][0]["fieldsV1"].clone()
}

/// As Kubernetes writes them: a dot where the field itself was made, none where Go always has one to fill.
#[test]
fn creators_own_the_places_that_they_made() {
    let container = json!({
        "name": "web", "image": "nginx", "resources": {"limits": {"cpu": "1"}},
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 10},
    });
    let fields = owned(
        ("apps", "v1", "Deployment"),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {
                "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [container], "securityContext": {}, "nodeSelector": {"a": "b"}},
                },
            },
        }),
    );
    let expected = json!({
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {"k:{\"name\":\"web\"}": {
                        ".": {},
                        "f:env": {".": {}, "k:{\"name\":\"A\"}": {
                            ".": {}, "f:name": {}, "f:valueFrom": {".": {}, "f:secretKeyRef": {}},
                        }},
                        "f:image": {},
                        "f:livenessProbe": {
                            ".": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}}, "f:periodSeconds": {},
                        },
                        "f:name": {},
                        "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {
                            ".": {}, "f:containerPort": {}, "f:protocol": {},
                        }},
                        "f:resources": {".": {}, "f:limits": {".": {}, "f:cpu": {}}},
                    }},
                    "f:nodeSelector": {},
                    "f:securityContext": {},
                },
            },
        },
    });
    assert_eq!(fields, expected);
}

#[test]
fn a_kind_that_nobody_knows_is_made_in_all_its_parts() {
    let fields = owned(
        ("stable.example.com", "v1", "CronTab"),
        json!({
            "apiVersion": "stable.example.com/v1", "kind": "CronTab", "metadata": {"name": "a"},
            "spec": {"cronSpec": "* * * * */5", "image": "my-cron-image"},
        }),
    );
    assert_eq!(
        fields,
        json!({"f:spec": {".": {}, "f:cronSpec": {}, "f:image": {}}})
    );
}
