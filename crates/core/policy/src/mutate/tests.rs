use serde_json::{Value, json};
use toolforge_model::ToolAccount;

use super::{MutationScope, mutate_pod};

fn account() -> ToolAccount {
    ToolAccount {
        uid: 52_001,
        home: "/data/project/alpha".to_owned(),
    }
}

fn mutated_in(scope: MutationScope, pod: &Value) -> Value {
    let mut changed = pod.clone();
    json_patch::patch(&mut changed, &mutate_pod(&account(), scope, pod)).unwrap();
    assert_eq!(
        mutate_pod(&account(), scope, &changed),
        [],
        "a second time changes something"
    );
    changed
}

fn mutated(pod: &Value) -> Value {
    mutated_in(MutationScope::Pod, pod)
}

#[test]
fn completes_what_a_pod_leaves_out() {
    let completed = mutated(
        &json!({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "x"}]}}),
    );
    assert_eq!(
        completed,
        json!({
            "metadata": {"name": "web"},
            "spec": {
                "automountServiceAccountToken": false,
                "securityContext": {
                    "runAsUser": 52_001,
                    "runAsGroup": 52_001,
                    "fsGroup": 52_001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "web",
                    "image": "x",
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                }],
            },
        })
    );
}

#[test]
fn overrides_nothing_that_is_there() {
    let pod = json!({"spec": {
        "automountServiceAccountToken": true,
        "securityContext": {"runAsUser": 0, "runAsGroup": 0, "fsGroup": 0, "seccompProfile": {"type": "Unconfined"}},
        "containers": [{"name": "web", "securityContext": {"allowPrivilegeEscalation": true, "capabilities": {"drop": ["ALL"]}}}],
    }});
    assert_eq!(mutated(&pod), pod);
}

#[test]
fn leaves_escalation_to_the_guard_where_the_api_would_answer_first() {
    for context in [
        json!({"privileged": true}),
        json!({"capabilities": {"add": ["SYS_ADMIN"]}}),
    ] {
        let changed = mutated(&json!({"spec": {"containers": [{"securityContext": context}]}}));
        assert_eq!(
            changed["spec"]["containers"][0]["securityContext"].get("allowPrivilegeEscalation"),
            None
        );
    }
}

#[test]
fn keeps_dropped_capabilities_and_drops_the_rest() {
    let context = json!({"capabilities": {"drop": ["NET_RAW"]}});
    let changed = mutated(&json!({"spec": {"containers": [{"securityContext": context}]}}));
    let drop = &changed["spec"]["containers"][0]["securityContext"]["capabilities"]["drop"];
    assert_eq!(*drop, json!(["NET_RAW", "ALL"]));
}

#[test]
fn changes_nothing_but_ephemeral_containers_when_those_are_added() {
    let pod = json!({"spec": {
        "containers": [{"name": "web"}],
        "ephemeralContainers": [{"name": "debug"}],
    }});
    let changed = mutated_in(MutationScope::EphemeralContainers, &pod);
    assert_eq!(changed["spec"]["containers"], pod["spec"]["containers"]);
    assert_eq!(changed["spec"].get("securityContext"), None);
    let debug = &changed["spec"]["ephemeralContainers"][0];
    assert_eq!(debug["securityContext"]["allowPrivilegeEscalation"], false);
}

#[test]
fn bears_objects_of_any_shape() {
    for pod in [
        Value::Null,
        json!([]),
        json!({"spec": []}),
        json!({"spec": {"containers": {"a": 1}, "securityContext": "x"}}),
        json!({"metadata": {"labels": {"toolforge": "tool"}}, "spec": {"containers": [1, null, {"env": {}, "securityContext": []}]}}),
        json!({"metadata": "x", "spec": {"containers": [{"securityContext": {"capabilities": {"drop": {}}}}]}}),
    ] {
        let _ = mutated(&pod);
    }
}
