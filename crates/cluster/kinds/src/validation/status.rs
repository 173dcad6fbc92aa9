//! What the counters in the status of workloads and budgets may be (`pkg/apis/apps/validation/validation.go` and
//! `pkg/apis/policy/validation/validation.go`). Jobs are in `job_status`.

use serde_json::Value;

use super::path::{Errors, join, not_negative};
use crate::FieldError;
use crate::value::Read as _;

/// Counters of which none is more than all replicas.
const OF_REPLICA_SETS: &[&str] = &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
const OF_DEPLOYMENTS: &[&str] = &["updatedReplicas", "readyReplicas", "availableReplicas"];
const OF_STATEFUL_SETS: &[&str] = &[
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
];
/// Counters that only are not negative.
const OTHERS: &[&str] = &[
    "replicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "observedGeneration",
    "collisionCount",
];

/// The status of a `ReplicaSet`.
pub(super) fn replica_set(new: &Value, errors: &mut Errors) {
    counters(&new["status"], OF_REPLICA_SETS, "readyReplicas", errors);
}

/// The status of a Deployment.
pub(super) fn deployment(old: &Value, new: &Value, errors: &mut Errors) {
    counters(&new["status"], OF_DEPLOYMENTS, "readyReplicas", errors);
    collisions(&old["status"], &new["status"], errors);
}

/// The status of a `StatefulSet`.
pub(super) fn stateful_set(old: &Value, new: &Value, errors: &mut Errors) {
    counters(&new["status"], OF_STATEFUL_SETS, "status.readyReplicas", errors);
    collisions(&old["status"], &new["status"], errors);
}

/// The status of a disruption budget.
pub(super) fn budget(new: &Value, errors: &mut Errors) {
    let counters = [
        "disruptionsAllowed",
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
    ];
    not_negative(&new["status"], "status", &counters, errors);
}

/// `ready` is how Kubernetes calls the counter that is not to be exceeded by that of those available.
fn counters(status: &Value, of_replicas: &[&str], ready: &str, errors: &mut Errors) {
    not_negative(status, "status", OTHERS, errors);
    not_negative(status, "status", of_replicas, errors);
    let count = |name: &str| status.int(name).unwrap_or(0);
    let mut at_most = |name: &str, most: i64, what: &str| {
        if count(name) > most {
            let detail = format!("cannot be greater than {what}");
            errors.push(FieldError::invalid(&join("status", name), count(name), &detail));
        }
    };
    for name in of_replicas {
        at_most(name, count("replicas"), "status.replicas");
    }
    at_most("availableReplicas", count("readyReplicas"), ready);
}

/// Names that were found taken stay taken.
fn collisions(old: &Value, new: &Value, errors: &mut Errors) {
    let Some(before) = old.int("collisionCount") else {
        return;
    };
    let now = new.int("collisionCount");
    if now.is_none_or(|now| now < before) {
        errors.push(FieldError::invalid(
            "status.collisionCount",
            now.unwrap_or(0),
            "cannot be decremented",
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::kind::Subresource;
    use crate::registry::by_kind;

    fn problems(group: &str, kind: &str, old: serde_json::Value, new: serde_json::Value) -> Vec<String> {
        let kind = by_kind(group, "v1", kind).unwrap();
        let object = |status| json!({"metadata": {"name": "a", "namespace": "b"}, "status": status});
        let found = crate::validate_update(kind, &object(old), &object(new), Some(Subresource::Status));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn counters_fit_together() {
        let none = || json!({});
        let good = json!({"replicas": 3, "readyReplicas": 3, "availableReplicas": 2, "updatedReplicas": 3});
        for kind in ["ReplicaSet", "Deployment", "StatefulSet"] {
            assert!(problems("apps", kind, none(), good.clone()).is_empty(), "{kind}");
        }
        assert_eq!(
            problems(
                "apps",
                "ReplicaSet",
                none(),
                json!({"replicas": 1, "fullyLabeledReplicas": 2, "availableReplicas": 1})
            ),
            [
                "status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas",
                "status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas",
            ]
        );
        assert_eq!(
            problems(
                "apps",
                "StatefulSet",
                none(),
                json!({"replicas": 1, "currentReplicas": 2, "availableReplicas": 1})
            ),
            [
                "status.currentReplicas: Invalid value: 2: cannot be greater than status.replicas",
                "status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas",
            ]
        );
        assert_eq!(
            problems(
                "apps",
                "Deployment",
                json!({"collisionCount": 2}),
                json!({"replicas": -1})
            ),
            [
                "status.replicas: Invalid value: -1: must be greater than or equal to 0",
                "status.updatedReplicas: Invalid value: 0: cannot be greater than status.replicas",
                "status.readyReplicas: Invalid value: 0: cannot be greater than status.replicas",
                "status.availableReplicas: Invalid value: 0: cannot be greater than status.replicas",
                "status.collisionCount: Invalid value: 0: cannot be decremented",
            ]
        );
        assert_eq!(
            problems(
                "policy",
                "PodDisruptionBudget",
                none(),
                json!({"currentHealthy": -1})
            ),
            ["status.currentHealthy: Invalid value: -1: must be greater than or equal to 0"]
        );
    }
}
