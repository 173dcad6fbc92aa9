//! What has become of a webservice, judged from what the cluster says of it. Pure, so that every way to fail can
//! be tested without one.
//!
//! Verdicts are quick where they are certain, and patient where time may heal: a crash is a crash at once, a
//! program that does not listen yet may only be slow.

mod ended;
mod probes;
mod refused;
mod waiting;

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

pub(crate) use ended::how_it_ended;
pub(crate) use probes::{Check, check_of};
pub(crate) use refused::refusal;

use crate::{
    exit::Exit,
    scene::{Moment, Scene, container_status, is_ready},
};

/// How long a running process may take until it serves, when nobody says otherwise: interpreters with large
/// programs, and machines that start many at once, need it.
pub(crate) const LISTEN_PATIENCE: Duration = Duration::from_mins(1);

/// Where a webservice is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is there.
    Absent,
    /// On its way; what it is doing, in a few words.
    Coming(&'static str),
    /// All Pods that were asked for are the newest and serve.
    Ready,
    /// It will not come up; why, and what to do.
    Failed(Failure),
}

/// Why a webservice will not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The kind of reason.
    pub(crate) exit: Exit,
    /// The reason, in a sentence.
    pub(crate) reason: String,
    /// What to do about it, in a sentence.
    pub(crate) next: String,
    /// The Pod whose last log lines belong to it, and whether they are those of the run before.
    pub(crate) log: Option<(String, bool)>,
}

impl Failure {
    /// One without a log.
    pub(crate) fn new(exit: Exit, reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            exit,
            reason: reason.into(),
            next: next.into(),
            log: None,
        }
    }

    /// With the log of a Pod.
    fn with_log(mut self, pod: &Pod, previous: bool) -> Self {
        self.log = Some((pod.name_any(), previous));
        self
    }
}

/// The verdict. `patience` is for programs that run and do not serve yet.
pub(crate) fn diagnose(scene: &Scene, moment: Moment, patience: Duration) -> Standing {
    let Some(deployment) = &scene.deployment else {
        return Standing::Absent;
    };
    if deployment.metadata.deletion_timestamp.is_some() {
        return Standing::Absent;
    }
    let newest = scene.newest_pods();
    if let Some(failure) = newest
        .iter()
        .find_map(|pod| waiting::stuck(scene, pod, moment).or_else(|| ended::crashed(scene, pod, moment)))
    {
        return Standing::Failed(failure);
    }
    if settled(scene) {
        return Standing::Ready;
    }
    if let Some(failure) = refused::refused(scene, moment).or_else(|| refused::homeless(&newest, moment)) {
        return Standing::Failed(failure);
    }
    coming(scene, &newest, moment, patience)
}

/// Whether the controller has taken in the newest version, and all its Pods serve, and no others are wanted.
fn settled(scene: &Scene) -> bool {
    let Some(deployment) = &scene.deployment else {
        return false;
    };
    let wanted = scene.wanted();
    let Some(status) = &deployment.status else {
        return false;
    };
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
}

fn coming(scene: &Scene, newest: &[&Pod], moment: Moment, patience: Duration) -> Standing {
    // The one that lags behind tells where things are.
    let Some(pod) = newest.iter().find(|pod| !is_ready(pod)) else {
        return Standing::Coming(if newest.is_empty() {
            "waiting for its Pod"
        } else {
            "handing over"
        });
    };
    let state = container_status(pod).and_then(|status| status.state.as_ref());
    match state.and_then(|state| state.running.as_ref()) {
        None => Standing::Coming(waiting::doing(scene, pod)),
        Some(running) => match probes::unready(scene, pod, running, moment, patience) {
            Some(failure) => Standing::Failed(failure),
            None => Standing::Coming(check_of(pod).waiting_words()),
        },
    }
}

#[cfg(test)]
mod tests;
