use super::*;

/// What a merge patch makes of an object (RFC 7396).
fn merged(object: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else {
        return patch.clone();
    };
    let mut new = object.as_object().cloned().unwrap_or_default();
    for (key, change) in changes {
        if change.is_null() {
            new.remove(key);
        } else {
            let old = new.get(key).cloned().unwrap_or_default();
            new.insert(key.clone(), merged(&old, change));
        }
    }
    Value::Object(new)
}

fn there_and_back(kind: &str, object: &Value) -> (Value, Value) {
    let stopped = merged(object, &stopping(kind, object).unwrap());
    assert_eq!(stopping(kind, &stopped), None, "what rests is not stopped twice");
    let started = merged(&stopped, &starting(kind, &stopped).unwrap());
    assert_eq!(starting(kind, &started), None);
    (stopped, started)
}

#[test]
fn replicas_come_back_as_many_as_they_were() {
    let three = json!({ "metadata": { "annotations": { "own": "kept" } }, "spec": { "replicas": 3 } });
    let (stopped, started) = there_and_back("Deployment", &three);
    assert_eq!(stopped["spec"]["replicas"], 0);
    assert_eq!(started, three);
}

#[test]
fn what_rested_before_rests_afterwards() {
    let none = json!({ "metadata": {}, "spec": { "replicas": 0 } });
    let suspended = json!({ "metadata": {}, "spec": { "suspend": true } });
    let done = json!({ "spec": {}, "status": { "conditions": [{ "type": "Complete", "status": "True" }] } });
    assert_eq!(stopping("StatefulSet", &none), None);
    assert_eq!(stopping("CronJob", &suspended), None);
    assert_eq!(stopping("Job", &done), None);
    assert_eq!(starting("Deployment", &none), None);
    assert_eq!(starting("CronJob", &suspended), None);
}

#[test]
fn jobs_are_suspended_and_go_on() {
    for kind in ["Job", "CronJob"] {
        let (stopped, started) =
            there_and_back(kind, &json!({ "metadata": {}, "spec": { "suspend": false } }));
        assert_eq!(
            (&stopped["spec"]["suspend"], &started["spec"]["suspend"]),
            (&json!(true), &json!(false))
        );
    }
}

#[test]
fn a_memory_that_makes_no_sense_changes_nothing_but_itself() {
    let odd = json!({ "metadata": { "annotations": { STOPPED: "many" } }, "spec": { "replicas": 0 } });
    let patch = starting("Deployment", &odd).unwrap();
    assert_eq!(patch.get("spec"), None);
    let newer = json!({ "metadata": { "annotations": { STOPPED: "3" } }, "spec": { "replicas": 2 } });
    assert_eq!(starting("Deployment", &newer).unwrap().get("spec"), None);
}
