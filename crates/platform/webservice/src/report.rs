//! How a webservice is, as `status` tells it. Pure; the JSON keys are documented in docs/webservice.md and stay.

mod differences;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, Pod};
use kube::ResourceExt as _;
use serde::Serialize;
use toolforge_model::{Quantity, ToolName, labels};

pub(crate) use differences::differences;

use crate::{
    diagnosis::{Failure, LISTEN_PATIENCE, Standing, diagnose, how_it_ended},
    look::Usage,
    objects::TYPE_ANNOTATION,
    scene::{Moment, Scene, Serving, container, container_status, is_going},
};

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Stopped,
    Starting,
    Running,
    /// It does not come up, and nothing of it serves.
    Failed,
}

/// All that there is to say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(crate) tool: String,
    pub(crate) state: State,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) backend: &'static str,
    pub(crate) url: String,
    /// When it was started, or restarted last.
    pub(crate) since: Option<Timestamp>,
    pub(crate) replicas_wanted: i32,
    pub(crate) replicas_ready: i32,
    pub(crate) restarts: i32,
    pub(crate) cpu: Measure,
    pub(crate) memory: Measure,
    /// Whether what serves is the version before, because the newest does not come up.
    pub(crate) older_version_serves: bool,
    /// What is going on, when something is.
    pub(crate) now: Option<&'static str>,
    pub(crate) problem: Option<Problem>,
    pub(crate) last_error: Option<LastError>,
    /// Settings that run otherwise than the manifest says.
    pub(crate) differs_from_manifest: Vec<Difference>,
}

/// What all its Pods use and may use together: thousandths of a CPU, or bytes. Absent: not measured, no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Measure {
    pub(crate) used: Option<i64>,
    pub(crate) limit: Option<i64>,
}

/// Why it does not come up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// What `start` would end with.
    pub(crate) exit_code: u8,
    pub(crate) reason: String,
    pub(crate) next: String,
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self {
            exit_code: failure.exit.code(),
            reason: failure.reason,
            next: failure.next,
        }
    }
}

/// How a process of it ended last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LastError {
    pub(crate) pod: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) exit_code: i32,
    pub(crate) reason: String,
}

/// A setting that runs otherwise than the manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) setting: String,
    pub(crate) manifest: Option<String>,
    pub(crate) running: Option<String>,
}

/// What was seen, put together.
pub(crate) fn report(
    tool: &ToolName,
    url: String,
    scene: &Scene,
    usage: &BTreeMap<String, Usage>,
    moment: Moment,
) -> Report {
    let standing = diagnose(scene, moment, LISTEN_PATIENCE);
    let ready = scene.ready();
    let (state, now, problem) = match standing {
        Standing::Absent => (State::Stopped, None, None),
        Standing::Ready => (State::Running, None, None),
        Standing::Coming(what) if ready > 0 => (State::Running, Some(what), None),
        Standing::Coming(what) => (State::Starting, Some(what), None),
        Standing::Failed(failure) if ready > 0 => (State::Running, None, Some(failure.into())),
        Standing::Failed(failure) => (State::Failed, None, Some(failure.into())),
    };
    let pods: Vec<&Pod> = scene.own_pods().filter(|pod| !is_going(pod)).collect();
    Report {
        tool: tool.to_string(),
        state,
        kind: kind_of(scene),
        backend: "kubernetes",
        url,
        since: since(scene),
        replicas_wanted: scene.wanted(),
        replicas_ready: ready,
        restarts: pods
            .iter()
            .filter_map(|pod| Some(container_status(pod)?.restart_count))
            .sum(),
        cpu: measure(scene, &pods, "cpu", usage, |one| one.cpu, Quantity::millis),
        memory: measure(scene, &pods, "memory", usage, |one| one.memory, Quantity::units),
        older_version_serves: problem.is_some() && scene.serving() == Serving::Older,
        now,
        problem,
        last_error: last_error(&pods),
        differs_from_manifest: Vec::new(),
    }
}

/// The type, by the name that was asked for; of an older `webservice` by what its runner is told.
pub(crate) fn kind_of(scene: &Scene) -> Option<String> {
    let deployment = scene.deployment.as_ref()?;
    if let Some(kind) = deployment.annotations().get(TYPE_ANNOTATION) {
        return Some(kind.clone());
    }
    let containers = &deployment.spec.template.spec.as_ref()?.containers;
    let mut words = containers.first()?.command.iter().flatten();
    words.by_ref().find(|word| *word == "--type")?;
    words.next().cloned()
}

fn since(scene: &Scene) -> Option<Timestamp> {
    let deployment = scene.deployment.as_ref()?;
    let template = deployment.spec.template.metadata.as_ref();
    let stamp = template
        .and_then(|metadata| metadata.annotations.as_ref())
        .and_then(|annotations| annotations.get(labels::STARTED_AT));
    let stamp = stamp.and_then(|text| text.parse().ok());
    stamp.or_else(|| Some(deployment.metadata.creation_timestamp.as_ref()?.0))
}

fn measure(
    scene: &Scene,
    pods: &[&Pod],
    resource: &str,
    usage: &BTreeMap<String, Usage>,
    part: impl Fn(&Usage) -> Quantity,
    number: impl Fn(Quantity) -> i128,
) -> Measure {
    let number = |quantity: Quantity| i64::try_from(number(quantity)).unwrap_or(i64::MAX);
    let used = pods
        .iter()
        .filter_map(|pod| usage.get(&pod.name_any()).map(&part))
        .reduce(|sum, one| sum + one);
    let limit_of = |container: &Container| {
        let limits = container.resources.as_ref()?.limits.as_ref()?;
        limits.get(resource)?.0.parse::<Quantity>().ok()
    };
    let limit = pods
        .iter()
        .filter_map(|pod| limit_of(container(pod)?))
        .reduce(|sum, one| sum + one);
    // Before there is a Pod, that of one that is wanted.
    let limit = limit.or_else(|| {
        let template = scene.deployment.as_ref()?.spec.template.spec.as_ref()?;
        limit_of(template.containers.first()?)
    });
    Measure {
        used: used.map(number),
        limit: limit.map(number),
    }
}

/// The latest end of a process that was no success.
fn last_error(pods: &[&Pod]) -> Option<LastError> {
    pods.iter()
        .filter_map(|pod| {
            let status = container_status(pod)?;
            let now = status.state.as_ref().and_then(|state| state.terminated.as_ref());
            let before = status
                .last_state
                .as_ref()
                .and_then(|state| state.terminated.as_ref());
            now.or(before).map(|ended| error_of(pod, ended))
        })
        .max_by_key(|error| error.at)
}

fn error_of(pod: &Pod, ended: &ContainerStateTerminated) -> LastError {
    LastError {
        pod: pod.name_any(),
        at: ended.finished_at.as_ref().map(|time| time.0),
        exit_code: ended.exit_code,
        reason: how_it_ended(ended),
    }
}

#[cfg(test)]
mod tests;
