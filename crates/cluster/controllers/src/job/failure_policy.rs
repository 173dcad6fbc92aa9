//! What `podFailurePolicy` says of a failed Pod: the first rule that matches decides. Pure.

use k8s_openapi::api::batch::v1::{
    Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// What follows from the failure of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It counts towards the limit.
    Counts,
    /// It does not count.
    Ignored,
    /// It counts, and its index has failed.
    FailsIndex,
    /// It counts, and the Job has failed; the sentence says by which rule.
    FailsJob(String),
}

impl Consequence {
    /// Whether the failure counts towards the limit.
    pub(crate) fn counts(&self) -> bool {
        *self != Self::Ignored
    }
}

/// The consequence of the failure of `pod`.
pub(crate) fn consequence(job: &Job, pod: &Pod) -> Consequence {
    let policy = job
        .spec
        .as_ref()
        .and_then(|spec| spec.pod_failure_policy.as_ref());
    let rules = policy.map_or(&[][..], |policy| policy.rules.as_slice());
    let found = rules
        .iter()
        .enumerate()
        .find_map(|(index, rule)| Some((index, rule, cause(rule, pod)?)));
    let Some((index, rule, cause)) = found else {
        return Consequence::Counts;
    };
    match rule.action.as_str() {
        "Ignore" => Consequence::Ignored,
        "FailIndex" => Consequence::FailsIndex,
        "FailJob" => Consequence::FailsJob(format!("{cause} matching {} rule at index {index}", rule.action)),
        _ => Consequence::Counts,
    }
}

/// What of the Pod matches the rule, in the words of the Job's condition.
fn cause(rule: &PodFailurePolicyRule, pod: &Pod) -> Option<String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    if let Some(requirement) = &rule.on_exit_codes {
        let (container, code) = container_that_ended_so(requirement, pod)?;
        return Some(format!(
            "Container {container} for pod {namespace}/{name} failed with exit code {code}"
        ));
    }
    let condition = condition_that_is_so(rule.on_pod_conditions.as_deref()?, pod)?;
    Some(format!("Pod {namespace}/{name} has condition {condition}"))
}

fn container_that_ended_so<'a>(
    requirement: &PodFailurePolicyOnExitCodesRequirement,
    pod: &'a Pod,
) -> Option<(&'a str, i32)> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let all = containers.chain(status.init_container_statuses.iter().flatten());
    all.filter(|container| {
        requirement
            .container_name
            .as_ref()
            .is_none_or(|wanted| *wanted == container.name)
    })
    .filter_map(|container| Some((container.name.as_str(), exit_code(container)?)))
    .find(|(_, code)| {
        let listed = requirement.values.contains(code);
        match requirement.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    })
}

/// The code of a container that ended in failure.
fn exit_code(container: &ContainerStatus) -> Option<i32> {
    let terminated = container.state.as_ref()?.terminated.as_ref()?;
    Some(terminated.exit_code).filter(|code| *code != 0)
}

fn condition_that_is_so<'a>(
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
    pod: &'a Pod,
) -> Option<&'a str> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let matching = conditions.iter().find(|condition| {
        patterns.iter().any(|pattern| {
            pattern.type_ == condition.type_
                && pattern.status.as_deref().unwrap_or("True") == condition.status
        })
    });
    matching.map(|condition| condition.type_.as_str())
}
