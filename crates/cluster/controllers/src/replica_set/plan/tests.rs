use k8s_openapi::api::apps::v1::ReplicaSetSpec;
use serde_json::json;

use super::*;

fn set(replicas: i32) -> ReplicaSet {
    ReplicaSet {
        spec: ReplicaSetSpec {
            replicas: Some(replicas),
            ..ReplicaSetSpec::default()
        },
        ..ReplicaSet::default()
    }
}

fn pod(name: &str, node: Option<&str>, phase: &str, ready_since: Option<&str>) -> Arc<Pod> {
    let ready =
        ready_since.map(|since| json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]));
    let pod = json!({
        "metadata": {"name": name}, "spec": {"nodeName": node}, "status": {"phase": phase, "conditions": ready},
    });
    Arc::new(serde_json::from_value(pod).expect("a pod"))
}

fn names(difference: &Difference) -> Vec<String> {
    match difference {
        Difference::Delete(pods) => pods.iter().map(|pod| pod.name().to_owned()).collect(),
        other => panic!("no deletion: {other:?}"),
    }
}

const OLD: &str = "2026-01-01T00:00:00Z";
const YOUNG: &str = "2026-01-01T01:00:00Z";

#[test]
fn missing_pods_are_made_and_ended_ones_do_not_count() {
    let pods = [
        pod("a", Some("n"), "Running", Some(OLD)),
        pod("b", Some("n"), "Failed", None),
    ];
    assert!(matches!(plan(&set(3), &pods), Difference::Create(2)));
    assert!(matches!(plan(&set(1), &pods), Difference::None));
}

#[test]
fn the_least_useful_pods_go_first() {
    let pods = [
        pod("ready-long", Some("n"), "Running", Some(OLD)),
        pod("unbound", None, "Pending", None),
        pod("ready-short", Some("n"), "Running", Some(YOUNG)),
        pod("not-ready", Some("n"), "Running", None),
        pod("pending", Some("n"), "Pending", None),
    ];
    let order = ["unbound", "pending", "not-ready", "ready-short", "ready-long"];
    for keep in 0..5 {
        let gone = usize::try_from(5 - keep).expect("small");
        assert_eq!(names(&plan(&set(keep), &pods)), order[..gone]);
    }
}

#[test]
fn a_replica_set_that_is_being_deleted_makes_nothing() {
    let mut dying = set(3);
    dying.metadata.deletion_timestamp = Some(Time(OLD.parse().expect("a time")));
    assert!(matches!(plan(&dying, &[]), Difference::None));
}

#[test]
fn a_pod_is_available_after_min_ready_seconds() {
    let mut waiting = set(1);
    waiting.spec.min_ready_seconds = Some(10);
    let pods = [pod("a", Some("n"), "Running", Some(OLD))];
    let at = |text: &str| desired_status(&waiting, &pods, None, text.parse().expect("a time"));
    let (early, again) = at("2026-01-01T00:00:04Z");
    assert_eq!((early.ready_replicas, early.available_replicas), (Some(1), None));
    assert_eq!(again, Some(Duration::from_secs(6)));
    let (late, again) = at("2026-01-01T00:00:10Z");
    assert_eq!((late.available_replicas, again), (Some(1), None));
}

#[test]
fn a_refusal_becomes_a_condition_and_goes_with_its_cause() {
    let now = OLD.parse().expect("a time");
    let trouble = Trouble {
        reason: "FailedCreate",
        message: "exceeded quota".into(),
    };
    let mut refused = set(1);
    let (status, _) = desired_status(&refused, &[], Some(&trouble), now);
    let conditions = status.conditions.clone().expect("a condition");
    assert_eq!(conditions[0].type_.as_deref(), Some("ReplicaFailure"));
    assert_eq!(conditions[0].message.as_deref(), Some("exceeded quota"));
    refused.status = Some(status);
    assert_eq!(desired_status(&refused, &[], None, now).0.conditions, None);
}
