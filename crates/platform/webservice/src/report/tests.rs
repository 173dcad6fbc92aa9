//! Reports over synthetic scenes.

use serde_json::json;

use super::*;

fn scene() -> Scene {
    let deployment = json!({
        "metadata": {
            "name": "alpha", "uid": "d", "generation": 1,
            "annotations": { "deployment.kubernetes.io/revision": "1", "toolforge.org/webservice-type": "python" },
        },
        "spec": { "replicas": 1, "selector": {}, "template": {
            "metadata": { "annotations": { "toolforge.org/started-at": "2026-01-03T11:00:00Z" } },
        } },
        "status": { "observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 1 },
    });
    let set = json!({
        "metadata": {
            "name": "s", "uid": "s", "annotations": { "deployment.kubernetes.io/revision": "1" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "alpha", "uid": "d", "controller": true }],
        },
        "spec": { "selector": {}, "template": { "metadata": { "annotations": { "toolforge.org/started-at": "2026-01-03T11:00:00Z" } } } },
    });
    let pod = json!({
        "metadata": {
            "name": "alpha-1", "uid": "p",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "s", "uid": "s", "controller": true }],
        },
        "spec": { "containers": [{ "name": "webservice", "resources": { "limits": { "cpu": "500m", "memory": "512Mi" } } }] },
        "status": {
            "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [{
                "name": "webservice", "image": "i", "imageID": "", "ready": true, "restartCount": 2,
                "state": { "running": { "startedAt": "2026-01-03T11:30:00Z" } },
                "lastState": { "terminated": { "exitCode": 3, "reason": "Error", "finishedAt": "2026-01-03T11:29:00Z" } },
            }],
        },
    });
    Scene {
        deployment: serde_json::from_value(deployment).unwrap(),
        replica_sets: vec![serde_json::from_value(set).unwrap()],
        pods: vec![serde_json::from_value(pod).unwrap()],
        events: Vec::new(),
    }
}

fn told(scene: &Scene, usage: &BTreeMap<String, Usage>) -> Report {
    let moment = Moment {
        now: "2026-01-03T12:00:00Z".parse().unwrap(),
        followed: None,
        gone: None,
    };
    let tool = "alpha".parse().unwrap();
    report(
        &tool,
        "https://alpha.example.org/".to_owned(),
        scene,
        usage,
        moment,
    )
}

#[test]
fn all_that_there_is_to_say_has_a_key() {
    let usage = Usage {
        cpu: "12m".parse().unwrap(),
        memory: "34Mi".parse().unwrap(),
    };
    let report = told(&scene(), &BTreeMap::from([("alpha-1".to_owned(), usage)]));
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        json!({
            "tool": "alpha", "state": "running", "type": "python", "backend": "kubernetes",
            "url": "https://alpha.example.org/",
            "since": "2026-01-03T11:00:00Z",
            "replicas_wanted": 1, "replicas_ready": 1, "restarts": 2,
            "cpu": { "used": 12, "limit": 500 },
            "memory": { "used": 35_651_584, "limit": 536_870_912 },
            "older_version_serves": false, "now": null, "problem": null,
            "last_error": { "pod": "alpha-1", "at": "2026-01-03T11:29:00Z", "exit_code": 3, "reason": "exit code 3" },
            "differs_from_manifest": [],
        })
    );
}

#[test]
fn what_crashes_again_and_again_does_not_run() {
    let mut scene = scene();
    let status = scene.pods[0].status.as_mut().unwrap();
    status.conditions = None;
    let container = &mut status.container_statuses.as_mut().unwrap()[0];
    container.ready = false;
    container.state = serde_json::from_value(json!({ "waiting": { "reason": "CrashLoopBackOff" } })).unwrap();
    let report = told(&scene, &BTreeMap::new());
    assert_eq!((report.state, report.replicas_ready), (State::Failed, 0));
    assert_eq!(report.problem.map(|problem| problem.exit_code), Some(1));
    assert_eq!(report.cpu.used, None, "not measured");
}

#[test]
fn an_older_one_is_told_too() {
    let mut scene = scene();
    let deployment = scene.deployment.as_mut().unwrap();
    deployment
        .metadata
        .annotations
        .as_mut()
        .unwrap()
        .remove(TYPE_ANNOTATION);
    deployment.metadata.creation_timestamp = serde_json::from_value(json!("2020-06-01T00:00:00Z")).unwrap();
    deployment.spec.template = serde_json::from_value(json!({ "spec": { "containers": [{
        "name": "webservice", "command": ["/usr/bin/webservice-runner", "--type", "lighttpd", "--port", "8000"],
    }] } }))
    .unwrap();
    let report = told(&scene, &BTreeMap::new());
    assert_eq!(report.kind.as_deref(), Some("lighttpd"));
    assert_eq!(report.since, Some("2020-06-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn nothing_there_is_stopped() {
    let report = told(&Scene::default(), &BTreeMap::new());
    assert_eq!(
        (report.state, report.since, report.kind),
        (State::Stopped, None, None)
    );
}
