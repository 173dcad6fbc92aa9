//! What `podFailurePolicy` says of a failed Pod: the first rule that matches decides. Pure.

use k8s_openapi::api::batch::v1::{
    Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};

use crate::object::Object;
use crate::pod::{Container, Pod};

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
    let (namespace, name) = (pod.namespace(), pod.name());
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
    let wanted = requirement.container_name.as_deref();
    let named = pod
        .containers
        .iter()
        .filter(|container| wanted.is_none_or(|wanted| container.name == *wanted));
    let mut ended = named.filter_map(|container| Some((&*container.name, exit_code(container)?)));
    ended.find(|(_, code)| {
        let listed = requirement.values.contains(code);
        match requirement.operator.as_str() {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    })
}

/// The code of a container that ended in failure.
fn exit_code(container: &Container) -> Option<i32> {
    Some(container.end?.exit_code).filter(|code| *code != 0)
}

fn condition_that_is_so<'a>(
    patterns: &[PodFailurePolicyOnPodConditionsPattern],
    pod: &'a Pod,
) -> Option<&'a str> {
    let matching = pod.conditions.iter().find(|condition| {
        patterns.iter().any(|pattern| {
            condition.kind == *pattern.type_
                && condition.status == pattern.status.as_deref().unwrap_or("True")
        })
    });
    matching.map(|condition| &*condition.kind)
}
