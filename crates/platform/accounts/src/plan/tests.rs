use serde_json::json;

use super::*;

fn binding(role: &str, users: &[&str]) -> Value {
    let subjects: Vec<Value> = users
        .iter()
        .map(|user| json!({ "kind": "User", "name": user }))
        .collect();
    json!({ "kind": "RoleBinding", "metadata": { "name": "b", "namespace": "n" }, "roleRef": { "name": role }, "subjects": subjects })
}

#[test]
fn what_is_missing_is_applied_and_what_is_there_is_left() {
    let wanted = binding("r", &["a"]);
    assert_eq!(
        plan(vec![wanted.clone()], |_| None::<Value>),
        [Action::Apply(wanted.clone())]
    );
    let mut found = wanted.clone();
    found["metadata"]["uid"] = json!("x");
    found["roleRef"]["apiGroup"] = json!("y");
    assert_eq!(plan(vec![wanted], |_| Some(found.clone())), []);
}

#[test]
fn drift_is_repaired_and_a_subject_too_many_is_drift() {
    let wanted = binding("r", &["a"]);
    let found = binding("r", &["a", "mallory"]);
    assert_eq!(
        plan(vec![wanted.clone()], |_| Some(found.clone())),
        [Action::Apply(wanted)]
    );
}

#[test]
fn a_role_cannot_be_changed_so_the_binding_is_replaced() {
    let wanted = binding("r", &["a"]);
    assert_eq!(
        plan(vec![wanted.clone()], |_| Some(binding("cluster-admin", &["a"]))),
        [Action::Replace(wanted)]
    );
}

#[test]
fn a_quota_that_bounds_too_much_is_drift() {
    let quota = |hard: Value| json!({ "kind": "ResourceQuota", "metadata": { "name": "q", "namespace": "n" }, "spec": { "hard": hard } });
    let wanted = quota(json!({ "pods": "10" }));
    let found = quota(json!({ "pods": "10", "count/statefulsets.apps": "2" }));
    let not = vec!["count/statefulsets.apps".to_owned()];
    assert_eq!(
        unbound(&not),
        json!({ "spec": { "hard": { "count/statefulsets.apps": null } } })
    );
    assert_eq!(
        plan(vec![wanted.clone()], |_| Some(found.clone())),
        [Action::Bound { quota: wanted, not }]
    );
}
