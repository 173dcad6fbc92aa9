use serde_json::{Value, json};

use super::*;
use crate::board::example::{World as Example, deployment, ingress, pod, service};

fn judged(objects: &[Value]) -> (Standing, String) {
    let mut example = Example::default();
    for object in objects {
        example.put(object);
    }
    let verdict = judge(&example.world, "tool-t");
    (verdict.standing, verdict.sentence.into_owned())
}

/// A webservice with one Pod in this state.
fn with_pod(status: &Value) -> (Standing, String) {
    judged(&[
        ingress("tool-t", "t.toolforge.org", "t"),
        service("tool-t", "t"),
        deployment("tool-t", "t", 1, 0),
        pod("tool-t", "t-1", status),
    ])
}

fn waiting(reason: &str) -> Value {
    json!({ "phase": "Pending", "containerStatuses": [
        { "name": "webservice", "ready": false, "restartCount": 0, "state": { "waiting": { "reason": reason } } },
    ] })
}

const READY: &str = r#"{ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }],
    "containerStatuses": [{ "name": "webservice", "ready": true, "restartCount": 0, "state": { "running": {} } }] }"#;

fn ready() -> Value {
    serde_json::from_str(READY).unwrap()
}

#[test]
fn a_tool_of_which_nothing_runs_is_idle() {
    assert_eq!(judged(&[]).0, Standing::Idle);
    let (standing, sentence) = judged(&[pod("tool-t", "job-1", &ready())]);
    assert_eq!(
        (standing, sentence.as_str()),
        (Standing::NoWebservice, "It has no webservice; 1 Pod of it runs.")
    );
}

#[test]
fn a_tool_that_answers_is_up() {
    assert_eq!(
        with_pod(&ready()),
        (Standing::Up, "Up: 1 replica answers.".to_owned())
    );
}

#[test]
fn a_tool_that_comes_up_is_starting() {
    let running = json!({ "phase": "Running", "containerStatuses": [
        { "name": "webservice", "ready": false, "restartCount": 0, "state": { "running": {} } },
    ] });
    assert_eq!(with_pod(&running).0, Standing::Starting);
    assert_eq!(with_pod(&waiting("ContainerCreating")).0, Standing::Starting);
}

#[test]
fn a_crash_is_told_with_its_exit_code() {
    let crashing = |last: Value| {
        with_pod(&json!({ "phase": "Running", "containerStatuses": [{
            "name": "webservice", "ready": false, "restartCount": 4,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": last },
        }] }))
    };
    assert_eq!(
        crashing(json!({ "exitCode": 3, "reason": "Error" })),
        (
            Standing::Down,
            "Down: its program ended with exit code 3, again and again.".to_owned()
        )
    );
    for (code, reason, words) in [
        (139, "Error", "exit code 139, that is signal 11, again and again"),
        (127, "Error", "was not found (exit code 127)"),
        (128, "StartError", "could not be started"),
    ] {
        let (_, sentence) = crashing(json!({ "exitCode": code, "reason": reason }));
        assert!(sentence.contains(words), "{sentence}");
    }
    let (_, memory) = crashing(json!({ "exitCode": 137, "reason": "OOMKilled" }));
    assert!(memory.contains("more memory than its limit"), "{memory}");
    let (_, quiet) = crashing(json!({ "exitCode": 0, "reason": "Completed" }));
    assert!(quiet.contains("without an error"), "{quiet}");
}

#[test]
fn an_image_that_cannot_be_had_is_named() {
    let (standing, sentence) = with_pod(&waiting("ImagePullBackOff"));
    assert_eq!(standing, Standing::Down);
    assert!(sentence.contains("registry.example/web:latest"), "{sentence}");
}

#[test]
fn a_refusal_tells_quota_from_guard() {
    let refused = |message: &str| {
        let mut refused = deployment("tool-t", "t", 1, 0);
        refused["status"]["conditions"] =
            json!([{ "type": "ReplicaFailure", "status": "True", "message": message }]);
        judged(&[
            ingress("tool-t", "t.toolforge.org", "t"),
            service("tool-t", "t"),
            refused,
        ])
    };
    let (standing, quota) = refused(
        "pods \"t-1\" is forbidden: exceeded quota: tool-t, requested: limits.memory=6Gi, used: limits.memory=4Gi, limited: limits.memory=8Gi",
    );
    assert_eq!(standing, Standing::Down);
    assert_eq!(
        quota,
        "Down: its quota has no room for its Pods (requested: limits.memory=6Gi, used: limits.memory=4Gi, limited: limits.memory=8Gi)."
    );
    let (_, guard) =
        refused("admission webhook \"registry.toolforge.org\" denied the request: image x is not allowed.");
    assert_eq!(guard, "Down: its Pods are refused: image x is not allowed.");
}

#[test]
fn a_pod_without_a_node_says_why() {
    let (standing, sentence) = with_pod(&json!({ "phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available.",
    }] }));
    assert_eq!(
        (standing, sentence.as_str()),
        (
            Standing::Down,
            "Down: no node has room for it (0/3 nodes are available)."
        )
    );
}

#[test]
fn an_ingress_that_leads_nowhere_is_named() {
    let (standing, sentence) = judged(&[ingress("tool-t", "t.toolforge.org", "gone")]);
    assert_eq!(standing, Standing::Down);
    assert!(sentence.contains("Service gone"), "{sentence}");
    let (_, no_pods) = judged(&[
        ingress("tool-t", "t.toolforge.org", "t"),
        service("tool-t", "t"),
        deployment("tool-t", "t", 1, 0),
    ]);
    assert!(no_pods.contains("no Pod stands behind its Service"), "{no_pods}");
}

#[test]
fn scaled_to_nothing_and_half_up_are_told_apart() {
    let objects = |wanted| {
        vec![
            ingress("tool-t", "t.toolforge.org", "t"),
            service("tool-t", "t"),
            deployment("tool-t", "t", wanted, 0),
        ]
    };
    assert!(judged(&objects(0)).1.contains("scaled to 0"));
    let mut half = objects(2);
    half.push(pod("tool-t", "t-1", &ready()));
    half.push(pod("tool-t", "t-2", &waiting("ErrImagePull")));
    let (standing, sentence) = judged(&half);
    assert_eq!(standing, Standing::Impaired);
    assert!(
        sentence.starts_with("Up, but only 1 of 2 replicas answer: its image"),
        "{sentence}"
    );
}
