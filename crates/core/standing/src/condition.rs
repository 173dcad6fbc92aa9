//! Conditions that say why there is no Pod, or none that runs.

/// Whether a Deployment or `ReplicaSet` says so that the API refuses its Pods (`ReplicaFailure`, the controllers' name for it).
pub fn is_refusal(kind: Option<&str>, status: Option<&str>) -> bool {
    kind == Some("ReplicaFailure") && status == Some("True")
}

/// Whether a Pod says so that no machine takes it.
pub fn is_unschedulable(kind: &str, status: &str, reason: Option<&str>) -> bool {
    kind == "PodScheduled" && status == "False" && reason == Some("Unschedulable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_counts_while_it_holds() {
        assert!(is_refusal(Some("ReplicaFailure"), Some("True")));
        assert!(!is_refusal(Some("ReplicaFailure"), Some("False")));
        assert!(!is_refusal(Some("Progressing"), Some("True")) && !is_refusal(None, None));
        assert!(is_unschedulable("PodScheduled", "False", Some("Unschedulable")));
        assert!(!is_unschedulable("PodScheduled", "True", Some("Unschedulable")));
        assert!(!is_unschedulable("PodScheduled", "False", None));
    }
}
