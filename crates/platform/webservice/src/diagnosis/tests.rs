//! Verdicts over what a cluster may say.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn deployment(status: &Value) -> Deployment {
    serde_json::from_value(json!({
        "metadata": { "name": "alpha", "generation": 2 },
        "spec": {
            "replicas": 1,
            "selector": {},
            "template": { "metadata": { "annotations": { "toolforge.org/started-at": "now" } } },
        },
        "status": status,
    }))
    .unwrap()
}

fn pod(started: &str, container: &Value) -> Pod {
    let mut container = container.clone();
    let defaults =
        json!({ "name": "webservice", "image": "i", "imageID": "", "restartCount": 0, "ready": false });
    for (key, value) in defaults.as_object().unwrap() {
        if container.get(key).is_none() {
            container[key] = value.clone();
        }
    }
    serde_json::from_value(json!({
        "metadata": { "name": "alpha-1", "annotations": { "toolforge.org/started-at": started } },
        "status": { "containerStatuses": [container] },
    }))
    .unwrap()
}

fn verdict(deployment: &Deployment, pods: &[Pod], seconds: u64) -> Standing {
    diagnose(&Seen {
        deployment: Some(deployment),
        pods,
        waited: Duration::from_secs(seconds),
    })
}

fn sentence(standing: Standing) -> String {
    match standing {
        Standing::Failed(failure) => failure.sentence,
        other => panic!("not failed: {other:?}"),
    }
}

#[test]
fn nothing_there_is_absent() {
    let seen = Seen {
        deployment: None,
        pods: &[],
        waited: Duration::ZERO,
    };
    assert_eq!(diagnose(&seen), Standing::Absent);
}

#[test]
fn ready_is_only_what_the_newest_version_is() {
    let ready =
        json!({ "observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1 });
    assert_eq!(verdict(&deployment(&ready), &[], 0), Standing::Ready);
    for (field, value) in [("observedGeneration", 1), ("updatedReplicas", 0), ("replicas", 2)] {
        let mut status = ready.clone();
        status[field] = json!(value);
        assert!(
            matches!(verdict(&deployment(&status), &[], 0), Standing::Coming(_)),
            "{field}"
        );
    }
}

#[test]
fn a_crash_is_told_with_its_code_and_log() {
    let crashed = pod(
        "now",
        &json!({
            "restartCount": 1,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 3 } },
        }),
    );
    let Standing::Failed(failure) = verdict(&deployment(&json!({})), &[crashed], 0) else {
        panic!("not failed")
    };
    assert!(failure.sentence.contains("exit code 3"));
    assert_eq!(failure.log, Some(("alpha-1".to_owned(), true)));
}

#[test]
fn a_crash_of_the_version_before_does_not_count() {
    let old = pod(
        "earlier",
        &json!({ "state": { "terminated": { "exitCode": 3 } } }),
    );
    assert_eq!(
        verdict(&deployment(&json!({})), &[old], 0),
        Standing::Coming("waiting for its Pod")
    );
}

#[test]
fn too_little_memory_is_told_with_the_way_out() {
    let killed = pod(
        "now",
        &json!({ "state": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } } }),
    );
    assert!(sentence(verdict(&deployment(&json!({})), &[killed], 0)).contains("--mem"));
}

#[test]
fn a_refusal_is_believed_after_some_seconds() {
    let status = json!({ "conditions": [{
        "type": "ReplicaFailure", "status": "True", "message": "exceeded quota: tool-alpha",
    }] });
    assert!(matches!(
        verdict(&deployment(&status), &[], 1),
        Standing::Coming(_)
    ));
    assert!(sentence(verdict(&deployment(&status), &[], 6)).contains("exceeded quota: tool-alpha"));
}

#[test]
fn a_process_that_does_not_listen_is_told_so() {
    let running = pod("now", &json!({ "state": { "running": {} } }));
    let deployment = deployment(&json!({}));
    assert_eq!(
        verdict(&deployment, std::slice::from_ref(&running), 3),
        Standing::Coming("waiting until it listens")
    );
    assert!(sentence(verdict(&deployment, &[running], 31)).contains("PORT"));
}
