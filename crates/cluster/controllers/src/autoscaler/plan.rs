//! What an autoscaler does now: from what is seen to a number of replicas, a status and events. Pure.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus, MetricStatus,
};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::behavior::{History, Numbers, decide};
use super::conditions::{ABLE, ACTIVE, Conditions, LIMITED};
use super::figures::Figures;
use super::proposal::Measured;
use super::ratio::Tolerance;
use super::sources::{Said, Silent, evaluate};
use crate::events::Kind;

/// The scale of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scaled {
    /// How many replicas there shall be.
    pub(crate) replicas: i32,
    /// Which Pods are its.
    pub(crate) selector: String,
}

/// What is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    /// The autoscaler.
    pub(crate) autoscaler: &'a HorizontalPodAutoscaler,
    /// Its target's scale, or why there is none.
    pub(crate) scale: &'a Result<Scaled, String>,
    /// Other autoscalers of the same target.
    pub(crate) rivals: &'a [String],
    /// The target's Pods and what they use, or why that is not known.
    pub(crate) pods: &'a Result<(Vec<Arc<Pod>>, Figures), String>,
    /// The time.
    pub(crate) now: Timestamp,
}

/// An event to record.
pub(crate) type Note = (Kind, &'static str, String);

/// What to do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The number of replicas to set, and why.
    pub(crate) rescale: Option<(i32, String)>,
    /// What to say.
    pub(crate) events: Vec<Note>,
    current: Option<i32>,
    desired: Option<i32>,
    metrics: Option<Vec<MetricStatus>>,
    conditions: Conditions,
}

/// Plans one round. `history` learns what was asked for.
pub(crate) fn plan(observed: Observed<'_>, history: &mut History) -> Plan {
    let before = observed.autoscaler.status.as_ref();
    let generation = observed.autoscaler.metadata.generation;
    let mut plan = Plan {
        rescale: None,
        events: Vec::new(),
        current: None,
        desired: None,
        metrics: None,
        conditions: Conditions::of(
            before.and_then(|status| status.conditions.as_ref()),
            generation,
            observed.now,
        ),
    };
    let spec = &observed.autoscaler.spec;
    let scale = match observed.scale {
        Ok(scale) => scale,
        Err(why) => {
            plan.warn("FailedGetScale", why.clone());
            let message = format!("the HPA controller was unable to get the target's current scale: {why}");
            plan.conditions.set(ABLE, false, "FailedGetScale", message);
            return plan;
        }
    };
    let message = "the HPA controller was able to get the target's current scale";
    plan.conditions.set(ABLE, true, "SucceededGetScale", message);
    plan.current = Some(scale.replicas);
    history.begin(scale.replicas.into(), observed.now);
    let least = spec.min_replicas.unwrap_or(1);
    if scale.replicas == 0 && least != 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        plan.conditions.set(ACTIVE, false, "ScalingDisabled", message);
        plan.desired = Some(0);
        plan.metrics = Some(Vec::new());
    } else if scale.replicas > spec.max_replicas {
        plan.set(
            spec.max_replicas,
            "Current number of replicas above Spec.MaxReplicas",
        );
    } else if scale.replicas < least {
        plan.set(least, "Current number of replicas below Spec.MinReplicas");
    } else {
        plan.by_metrics(spec, scale, observed, history);
    }
    plan
}

impl Plan {
    fn warn(&mut self, reason: &'static str, message: String) {
        self.events.push((Kind::Warning, reason, message));
    }

    fn set(&mut self, replicas: i32, why: &str) {
        self.rescale = Some((replicas, why.to_owned()));
        self.desired = Some(replicas);
        self.metrics = Some(Vec::new());
    }

    fn by_metrics(
        &mut self,
        spec: &HorizontalPodAutoscalerSpec,
        scale: &Scaled,
        observed: Observed<'_>,
        history: &mut History,
    ) {
        let Some((asked, name, statuses)) = self.ask(spec, scale, observed) else {
            return;
        };
        let current = i64::from(scale.replicas);
        let numbers = Numbers {
            current,
            asked,
            least: spec.min_replicas.unwrap_or(1).into(),
            most: spec.max_replicas.into(),
        };
        let decision = decide(spec.behavior.as_ref(), numbers, history, observed.now);
        let (reason, message) = decision.stabilized;
        self.conditions.set(ABLE, true, reason, message);
        let (reason, message) = decision.limited;
        self.conditions.set(LIMITED, decision.is_limited, reason, message);
        let desired = i32::try_from(decision.replicas).unwrap_or(spec.max_replicas);
        self.desired = Some(desired);
        self.metrics = Some(statuses);
        if desired != scale.replicas {
            let why = match asked.cmp(&current) {
                Ordering::Greater => format!("{name} above target"),
                Ordering::Less => "All metrics below target".to_owned(),
                Ordering::Equal => String::new(),
            };
            self.rescale = Some((desired, why));
        }
    }

    /// What the metrics ask for together: the most of them. None where not enough of them say something.
    fn ask(
        &mut self,
        spec: &HorizontalPodAutoscalerSpec,
        scale: &Scaled,
        observed: Observed<'_>,
    ) -> Option<(i64, String, Vec<MetricStatus>)> {
        if scale.selector.is_empty() {
            self.warn("SelectorRequired", "selector is required".to_owned());
            let message = "the HPA target's scale is missing a selector";
            self.conditions.set(ACTIVE, false, "InvalidSelector", message);
            return self.give_up("selector is required");
        }
        if !observed.rivals.is_empty() {
            let why = format!(
                "pods by selector {} are controlled by multiple HPAs: [{}]",
                scale.selector,
                observed.rivals.join(" ")
            );
            self.warn("AmbiguousSelector", why.clone());
            self.conditions
                .set(ACTIVE, false, "AmbiguousSelector", why.clone());
            return self.give_up(&why);
        }
        let measured = observed
            .pods
            .as_ref()
            .map_err(Clone::clone)
            .map(|(pods, figures)| Measured {
                replicas: scale.replicas.into(),
                pods,
                figures,
                tolerance: Tolerance::of(spec.behavior.as_ref()),
                now: observed.now,
            });
        let metrics = spec.metrics.as_deref().unwrap_or_default();
        let (mut highest, mut silent): (Option<Said>, Vec<Silent>) = (None, Vec::new());
        let mut statuses = Vec::new();
        for metric in metrics {
            match evaluate(metric, &measured) {
                Ok(said) => {
                    statuses.push(said.status.clone());
                    if highest
                        .as_ref()
                        .is_none_or(|highest| said.replicas > highest.replicas)
                    {
                        highest = Some(said);
                    }
                }
                Err(why) => {
                    // The figures of a metric are found by its place.
                    statuses.push(MetricStatus::default());
                    self.warn(why.reason, why.why.clone());
                    silent.push(why);
                }
            }
        }
        let fewer = |said: &Said| said.replicas < scale.replicas.into();
        match (highest, silent.first()) {
            // What says nothing might ask for more: nothing is taken away then.
            (highest, Some(first)) if highest.as_ref().is_none_or(fewer) => {
                let message = format!("the HPA was unable to compute the replica count: {}", first.why);
                self.conditions.set(ACTIVE, false, first.reason, message);
                let (count, all) = (silent.len(), metrics.len());
                let why = &first.why;
                self.give_up(&format!(
                    "invalid metrics ({count} invalid out of {all}), first error is: {why}"
                ))
            }
            (Some(said), _) => {
                let message = format!(
                    "the HPA was able to successfully calculate a replica count from {}",
                    said.name
                );
                self.conditions.set(ACTIVE, true, "ValidMetricFound", message);
                Some((said.replicas, said.name, statuses))
            }
            (None, _) => None,
        }
    }

    fn give_up<T>(&mut self, why: &str) -> Option<T> {
        self.warn("FailedComputeMetricsReplicas", why.to_owned());
        None
    }

    /// The scale was written: remembers it.
    pub(crate) fn rescaled(&mut self, history: &mut History, now: Timestamp) {
        let Some((replicas, why)) = &self.rescale else {
            return;
        };
        let message = format!("the HPA controller was able to update the target scale to {replicas}");
        self.conditions.set(ABLE, true, "SucceededRescale", message);
        let said = format!("New size: {replicas}; reason: {why}");
        self.events.push((Kind::Normal, "SuccessfulRescale", said));
        history.changed(i64::from(*replicas) - i64::from(self.current.unwrap_or(0)), now);
    }

    /// The scale could not be written: nothing has changed.
    pub(crate) fn refused(&mut self, error: &str) {
        let Some((replicas, why)) = self.rescale.take() else {
            return;
        };
        let message = format!("the HPA controller was unable to update the target scale: {error}");
        self.conditions.set(ABLE, false, "FailedUpdateScale", message);
        self.warn(
            "FailedRescale",
            format!("New size: {replicas}; reason: {why}; error: {error}"),
        );
        self.desired = None;
        self.metrics = None;
    }

    /// The status to write. What could not be found out this time stays as it was told last.
    pub(crate) fn status(
        self,
        autoscaler: &HorizontalPodAutoscaler,
        now: Timestamp,
    ) -> HorizontalPodAutoscalerStatus {
        let before = autoscaler.status.clone().unwrap_or_default();
        let current_metrics = match self.metrics {
            Some(metrics) => Some(metrics).filter(|metrics| !metrics.is_empty()),
            None => before.current_metrics,
        };
        HorizontalPodAutoscalerStatus {
            conditions: Some(self.conditions.into_list()),
            current_metrics,
            current_replicas: self.current.or(before.current_replicas),
            desired_replicas: self.desired.unwrap_or(before.desired_replicas),
            last_scale_time: match self.rescale {
                Some(_) => Some(Time(now)),
                None => before.last_scale_time,
            },
            observed_generation: autoscaler.metadata.generation,
        }
    }
}
