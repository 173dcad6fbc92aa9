//! The conditions of an autoscaler: whether it can scale, whether it does, and whether something limits it. Pure.

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerCondition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Whether the target can be read and written.
pub(crate) const ABLE: &str = "AbleToScale";
/// Whether metrics say something.
pub(crate) const ACTIVE: &str = "ScalingActive";
/// Whether bounds or rates stand against what metrics say.
pub(crate) const LIMITED: &str = "ScalingLimited";

/// The conditions, to be changed.
#[derive(Debug)]
pub(crate) struct Conditions {
    list: Vec<HorizontalPodAutoscalerCondition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Conditions {
    /// Those that were told last.
    pub(crate) fn of(
        list: Option<&Vec<HorizontalPodAutoscalerCondition>>,
        generation: Option<i64>,
        now: Timestamp,
    ) -> Self {
        Self {
            list: list.cloned().unwrap_or_default(),
            generation,
            now,
        }
    }

    /// Sets one; its time changes when its status does.
    pub(crate) fn set(&mut self, kind: &str, holds: bool, reason: &str, message: impl Into<String>) {
        let status = if holds { "True" } else { "False" };
        let before = self.list.iter().position(|condition| condition.type_ == kind);
        let since = before
            .map(|at| &self.list[at])
            .filter(|condition| condition.status == status)
            .and_then(|condition| condition.last_transition_time.clone());
        let condition = HorizontalPodAutoscalerCondition {
            last_transition_time: Some(since.unwrap_or(Time(self.now))),
            message: Some(message.into()),
            observed_generation: self.generation,
            reason: Some(reason.to_owned()),
            status: status.to_owned(),
            type_: kind.to_owned(),
        };
        match before {
            Some(at) => self.list[at] = condition,
            None => self.list.push(condition),
        }
    }

    /// All of them, as a status holds them.
    pub(crate) fn into_list(self) -> Vec<HorizontalPodAutoscalerCondition> {
        self.list
    }
}
