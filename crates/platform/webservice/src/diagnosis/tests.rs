//! Verdicts over what a cluster may say.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-01-03T12:00:00Z";

/// A scene of one Deployment with one current and one older `ReplicaSet`.
fn scene(status: &Value, pods: &[Value], events: &[Value]) -> Scene {
    let set = |uid: &str, revision: &str| {
        json!({
            "metadata": {
                "name": uid, "uid": uid,
                "annotations": { "deployment.kubernetes.io/revision": revision },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "alpha", "uid": "d", "controller": true }],
            },
            "spec": { "selector": {} },
        })
    };
    let mut all = json!({ "observedGeneration": 2 });
    for (key, value) in status.as_object().unwrap() {
        all[key] = value.clone();
    }
    let deployment = json!({
        "metadata": {
            "name": "alpha", "uid": "d", "generation": 2,
            "annotations": { "deployment.kubernetes.io/revision": "2" },
        },
        "spec": { "replicas": 1, "selector": {}, "template": {} },
        "status": all,
    });
    Scene {
        deployment: Some(serde_json::from_value(deployment).unwrap()),
        replica_sets: [set("new", "2"), set("old", "1")]
            .into_iter()
            .map(|set| serde_json::from_value(set).unwrap())
            .collect(),
        pods: pods
            .iter()
            .map(|pod| serde_json::from_value(pod.clone()).unwrap())
            .collect(),
        events: events
            .iter()
            .map(|event| serde_json::from_value(event.clone()).unwrap())
            .collect(),
    }
}

/// A Pod of a `ReplicaSet`, with this said of its container.
fn pod(set: &str, container: &Value) -> Value {
    let mut status =
        json!({ "name": "webservice", "image": "img", "imageID": "", "restartCount": 0, "ready": false });
    for (key, value) in container.as_object().unwrap() {
        status[key] = value.clone();
    }
    json!({
        "metadata": {
            "name": "alpha-1", "uid": "p", "creationTimestamp": "2026-01-03T11:59:00Z",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": set, "controller": true }],
        },
        "spec": {
            "nodeName": "one",
            "containers": [{ "name": "webservice", "readinessProbe": { "tcpSocket": { "port": "http" } } }],
        },
        "status": { "containerStatuses": [status] },
    })
}

fn event(reason: &str, message: &str) -> Value {
    json!({
        "metadata": { "name": reason },
        "involvedObject": { "uid": "p" },
        "reason": reason,
        "message": message,
        "lastTimestamp": "2026-01-03T11:59:30Z",
    })
}

fn verdict(scene: &Scene, seconds: u64) -> Standing {
    let moment = Moment {
        now: NOW.parse().unwrap(),
        followed: Some(Duration::from_secs(seconds)),
        gone: None,
    };
    diagnose(scene, moment, Duration::from_mins(1))
}

fn failure(scene: &Scene, seconds: u64) -> Failure {
    match verdict(scene, seconds) {
        Standing::Failed(failure) => failure,
        other => panic!("not failed: {other:?}"),
    }
}

#[test]
fn nothing_there_is_absent() {
    assert_eq!(verdict(&Scene::default(), 0), Standing::Absent);
}

#[test]
fn ready_is_only_what_the_newest_version_is() {
    let ready = json!({ "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1 });
    assert_eq!(verdict(&scene(&ready, &[], &[]), 0), Standing::Ready);
    for (field, value) in [("observedGeneration", 1), ("updatedReplicas", 0), ("replicas", 2)] {
        let mut status = ready.clone();
        status[field] = json!(value);
        let scene = scene(&status, &[], &[]);
        assert!(matches!(verdict(&scene, 0), Standing::Coming(_)), "{field}");
    }
}

/// Said of the newest Pod's container this is a failure; said of the version before it says nothing.
fn tells(container: &Value, events: &[Value], seconds: u64, exit: Exit, words: &str) -> Failure {
    let failure = failure(&scene(&json!({}), &[pod("new", container)], events), seconds);
    assert_eq!(failure.exit, exit, "{container}");
    assert!(failure.reason.contains(words), "{}", failure.reason);
    assert!(!failure.next.is_empty());
    let old = scene(&json!({}), &[pod("old", container)], events);
    assert_eq!(
        verdict(&old, seconds),
        Standing::Coming("waiting for its Pod"),
        "{container}"
    );
    failure
}

#[test]
fn ends_are_told_at_once_with_the_log() {
    for (code, reason, words) in [
        (3, "Error", "crashed: exit code 3"),
        (139, "Error", "signal 11"),
        (127, "Error", "program was not found"),
        (0, "Completed", "ended by itself"),
        (137, "OOMKilled", "more memory"),
    ] {
        let ended = json!({ "terminated": { "exitCode": code, "reason": reason } });
        let again = json!({ "state": { "waiting": { "reason": "CrashLoopBackOff" } }, "lastState": ended });
        let log = tells(&again, &[], 0, Exit::Tool, words).log;
        assert_eq!(log, Some(("alpha-1".to_owned(), true)));
        let log = tells(&json!({ "state": ended }), &[], 0, Exit::Tool, words).log;
        assert_eq!(log, Some(("alpha-1".to_owned(), false)));
    }
    let unstartable = json!({
        "lastState": { "terminated": { "exitCode": 128, "reason": "StartError", "message": "no such file" } },
    });
    let told = tells(
        &unstartable,
        &[],
        0,
        Exit::Tool,
        "cannot be started: no such file.",
    );
    assert_eq!(told.log, None, "it has printed nothing");
}

#[test]
fn what_keeps_a_container_waiting_is_told() {
    let failed = event("Failed", "Failed to pull image \"img\": gone");
    let unmounted = event("FailedMount", "hostPath /data is not a directory");
    for (reason, message, event, seconds, exit, words) in [
        (
            "InvalidImageName",
            "bad",
            None,
            0,
            Exit::Image,
            "img cannot be used: bad",
        ),
        (
            "ErrImagePull",
            "manifest unknown",
            None,
            0,
            Exit::Image,
            "manifest unknown",
        ),
        (
            "ErrImagePull",
            "i/o timeout",
            None,
            16,
            Exit::Image,
            "i/o timeout",
        ),
        (
            "ImagePullBackOff",
            "Back-off",
            Some(failed),
            0,
            Exit::Image,
            "gone",
        ),
        (
            "CreateContainerConfigError",
            "no secret x",
            None,
            0,
            Exit::Tool,
            "no secret x",
        ),
        (
            "ContainerCreating",
            "",
            Some(unmounted),
            16,
            Exit::Tool,
            "/data is not",
        ),
    ] {
        let container = json!({ "state": { "waiting": { "reason": reason, "message": message } } });
        let told = tells(&container, event.as_slice(), seconds, exit, words);
        assert_eq!(told.log, None);
    }
}

#[test]
fn silence_is_told_after_the_patience() {
    let running = json!({ "state": { "running": { "startedAt": "2026-01-03T11:58:00Z" } } });
    let words = "nothing listens on port 8000 after 61 s";
    let told = tells(&running, &[], 61, Exit::NotListening, words);
    assert_eq!(told.log, Some(("alpha-1".to_owned(), false)));
}

#[test]
fn what_may_heal_gets_time() {
    let early =
        |container: Value, seconds| verdict(&scene(&json!({}), &[pod("new", &container)], &[]), seconds);
    let timeout = json!({ "state": { "waiting": { "reason": "ErrImagePull", "message": "i/o timeout" } } });
    assert!(matches!(early(timeout, 5), Standing::Coming(_)));
    let running = json!({ "state": { "running": { "startedAt": "2026-01-03T11:59:57Z" } } });
    assert_eq!(early(running, 100), Standing::Coming("waiting until it listens"));
    let recovered = json!({
        "state": { "running": { "startedAt": "2026-01-03T11:58:50Z" } },
        "lastState": { "terminated": { "exitCode": 1 } },
    });
    assert!(
        matches!(early(recovered, 65), Standing::Failed(failure) if failure.exit == Exit::NotListening),
        "a crash long ago is over"
    );
}

#[test]
fn a_health_check_is_told_with_what_it_answered() {
    let mut checked = pod(
        "new",
        &json!({ "state": { "running": { "startedAt": "2026-01-03T11:58:00Z" } } }),
    );
    checked["spec"]["containers"][0]["readinessProbe"] =
        json!({ "httpGet": { "path": "/healthz", "port": 8000 } });
    let said = |message: &str| event("Unhealthy", &format!("Readiness probe failed: {message}"));
    let answered = scene(
        &json!({}),
        &[checked.clone()],
        &[said("HTTP probe failed with statuscode: 500")],
    );
    let told = failure(&answered, 61);
    assert_eq!(told.exit, Exit::HealthCheck);
    assert!(
        told.reason.contains("/healthz") && told.reason.contains("statuscode: 500"),
        "{}",
        told.reason
    );
    let missing = [event(
        "Unhealthy",
        "Startup probe failed: HTTP probe failed with statuscode: 404",
    )];
    let missing = scene(&json!({}), &[checked.clone()], &missing);
    assert_eq!(
        failure(&missing, 11).exit,
        Exit::HealthCheck,
        "that page will not appear"
    );
    let silent = scene(&json!({}), &[checked], &[said("dial tcp: connection refused")]);
    assert_eq!(
        failure(&silent, 61).exit,
        Exit::NotListening,
        "nobody is there to fail it"
    );
}

#[test]
fn what_liveness_ended_is_no_crash() {
    let ended = pod(
        "new",
        &json!({
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 143 } },
        }),
    );
    let events = [
        event(
            "Unhealthy",
            "Liveness probe failed: HTTP probe failed with statuscode: 404",
        ),
        event(
            "Killing",
            "Container webservice failed liveness probe, will be restarted",
        ),
    ];
    let told = failure(&scene(&json!({}), &[ended], &events), 0);
    assert_eq!(told.exit, Exit::HealthCheck);
    assert!(told.reason.contains("404"), "{}", told.reason);
}

#[test]
fn refusals_are_believed_as_soon_as_they_are_certain() {
    for (message, patience, exit) in [
        (
            "pods \"a\" is forbidden: exceeded quota: tool-alpha, requested: pods=1",
            3,
            Exit::Quota,
        ),
        (
            "pods \"a\" is forbidden: minimum memory usage per Container is 100Mi, but request is 64Mi",
            0,
            Exit::Quota,
        ),
        (
            "admission webhook \"pods.toolforge.org\" denied the request: no",
            0,
            Exit::Admission,
        ),
        (
            "Internal error occurred: failed calling webhook \"x\": refused",
            10,
            Exit::Api,
        ),
    ] {
        let status = json!({ "conditions": [{
            "type": "ReplicaFailure", "status": "True", "message": message,
            "lastTransitionTime": "2026-01-03T11:59:00Z",
        }] });
        let scene = scene(&status, &[], &[]);
        if patience > 0 {
            assert!(
                matches!(verdict(&scene, patience - 1), Standing::Coming(_)),
                "{message}"
            );
        }
        let told = failure(&scene, patience);
        assert_eq!(told.exit, exit);
        assert!(told.reason.contains(message), "{}", told.reason);
    }
}

#[test]
fn a_quota_is_not_full_while_old_ones_go() {
    let status = json!({ "conditions": [{
        "type": "ReplicaFailure", "status": "True", "message": "exceeded quota: tool-alpha",
        "lastTransitionTime": "2026-01-03T11:59:00Z",
    }] });
    let mut old = pod("old", &json!({}));
    old["metadata"]["deletionTimestamp"] = json!("2026-01-03T11:59:50Z");
    let scene = scene(&status, &[old], &[]);
    assert!(matches!(verdict(&scene, 20), Standing::Coming(_)));
    assert_eq!(failure(&scene, 41).exit, Exit::Quota);
}

#[test]
fn no_room_is_told_after_some_time() {
    let mut homeless = pod("new", &json!({}));
    homeless["spec"]["nodeName"] = Value::Null;
    homeless["status"] = json!({ "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient memory.", "lastTransitionTime": "2026-01-03T11:59:00Z",
    }] });
    let scene = scene(&json!({}), &[homeless], &[]);
    assert_eq!(verdict(&scene, 3), Standing::Coming("looking for a place to run"));
    let told = failure(&scene, 16);
    assert_eq!(told.exit, Exit::Time);
    assert!(told.reason.contains("Insufficient memory."), "{}", told.reason);
    assert!(told.next.contains("--mem"), "{}", told.next);
}

#[test]
fn more_and_less_are_told_apart() {
    for (message, next) in [
        (
            "minimum memory usage per Container is 100Mi, but request is 64Mi",
            "Ask for more",
        ),
        (
            "maximum memory usage per Container is 4Gi, but limit is 8Gi",
            "Ask for less",
        ),
    ] {
        assert!(refusal(Exit::Quota, message).next.contains(next), "{message}");
    }
}
