use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::{Value, json};

use super::plan::{Observed, Plan, Scales, plan};
use crate::pod::Pod;

fn pods(count: usize, ready: usize) -> Vec<Arc<Pod>> {
    let pod = |number: usize| {
        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "set", "controller": true}]);
        let status = if number < ready { "True" } else { "False" };
        let pod = json!({
            "metadata": {"name": format!("p{number}"), "ownerReferences": owner},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        });
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    };
    (0..count).map(pod).collect()
}

fn planned(spec: &Value, status: &Value, pods: &[Arc<Pod>], wanted: Option<i32>) -> Plan {
    let budget: PodDisruptionBudget =
        serde_json::from_value(json!({"metadata": {"generation": 3}, "spec": spec, "status": status}))
            .expect("a budget");
    let scales: Scales = wanted
        .into_iter()
        .map(|wanted| ("set".to_owned(), Ok(wanted)))
        .collect();
    plan(Observed {
        budget: &budget,
        pods,
        scales: &scales,
        now: "2026-01-01T00:01:00Z".parse::<Timestamp>().expect("a time"),
    })
}

/// Expected, desired, healthy, allowed.
fn numbers(plan: &Plan) -> [i32; 4] {
    let status = &plan.status;
    [
        status.expected_pods,
        status.desired_healthy,
        status.current_healthy,
        status.disruptions_allowed,
    ]
    .map(Option::unwrap_or_default)
}

#[test]
fn budgets_are_counted_as_written() {
    let cases = [
        (json!({"minAvailable": 2}), 4, 3, [4, 2, 3, 1]),
        (json!({"minAvailable": 3}), 4, 3, [4, 3, 3, 0]),
        (json!({"minAvailable": "50%"}), 5, 5, [5, 3, 5, 2]),
        (json!({"maxUnavailable": 1}), 4, 4, [5, 4, 4, 0]),
        (json!({"maxUnavailable": "30%"}), 5, 5, [5, 3, 5, 2]),
        (json!({"maxUnavailable": 1}), 0, 0, [0, 0, 0, 0]),
    ];
    for (spec, count, ready, expected) in cases {
        let plan = planned(&spec, &json!({}), &pods(count, ready), Some(5));
        assert_eq!(numbers(&plan), expected, "{spec}");
        let condition = &plan.status.conditions.expect("one")[0];
        let allowed = expected[3] > 0;
        assert_eq!(condition.status, if allowed { "True" } else { "False" });
        assert_eq!(
            condition.reason,
            if allowed {
                "SufficientPods"
            } else {
                "InsufficientPods"
            }
        );
        assert_eq!(plan.status.observed_generation, Some(3));
    }
}

#[test]
fn an_evicted_pod_does_not_count_until_it_should_be_gone() {
    let status = json!({"disruptedPods": {"p0": "2026-01-01T00:00:30Z", "p1": "2025-12-31T23:58:00Z", "gone": "2026-01-01T00:00:30Z"}});
    let plan = planned(&json!({"minAvailable": 1}), &status, &pods(3, 3), None);
    assert_eq!(numbers(&plan), [3, 1, 2, 1]);
    let noted = plan.status.disrupted_pods.expect("one");
    assert_eq!(noted.keys().collect::<Vec<_>>(), ["p0"]);
    assert_eq!(plan.again, Some(Duration::from_millis(90_001)));
    assert_eq!(&*plan.not_deleted[0].name, "p1");
}

#[test]
fn what_cannot_be_counted_is_not_evicted() {
    let plan = planned(
        &json!({"maxUnavailable": 1}),
        &json!({"disruptionsAllowed": 4}),
        &pods(1, 1),
        None,
    );
    assert_eq!(
        plan.trouble.as_deref(),
        Some("found no controllers for pod \"p0\"")
    );
    assert_eq!(plan.status.disruptions_allowed, Some(0));
    assert_eq!(plan.status.conditions.expect("one")[0].reason, "SyncFailed");
}
