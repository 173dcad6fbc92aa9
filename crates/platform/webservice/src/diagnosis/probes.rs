//! Processes that run and are not ready: nothing listens, or the health check fails.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{ContainerStateRunning, Event, Pod, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::Failure;
use crate::{
    exit::Exit,
    objects::PORT,
    scene::{Moment, Scene, container},
};

/// How long a health check may be answered with a status from 400 to 499: programs that load their pages late need
/// seconds, and those that have no such page never will.
const WRONG_PATIENCE: Duration = Duration::from_secs(10);

/// What a Pod must do to be ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// Run.
    None,
    /// Listen.
    Listens { port: String },
    /// Answer this path.
    Answers { path: String },
}

impl Check {
    pub(crate) fn waiting_words(&self) -> &'static str {
        match self {
            Self::None => "waiting until it is ready",
            Self::Listens { .. } => "waiting until it listens",
            Self::Answers { .. } => "waiting for its health check",
        }
    }
}

/// What its readiness probe asks of a Pod.
pub(crate) fn check_of(pod: &Pod) -> Check {
    container(pod)
        .and_then(|container| container.readiness_probe.as_ref())
        .map_or(Check::None, check)
}

fn check(probe: &Probe) -> Check {
    if let Some(get) = &probe.http_get {
        let path = get.path.clone().unwrap_or_else(|| "/".to_owned());
        return Check::Answers { path };
    }
    let port = probe.tcp_socket.as_ref().map(|socket| match &socket.port {
        IntOrString::Int(port) => port.to_string(),
        IntOrString::String(_) => PORT.to_string(),
    });
    port.map_or(Check::None, |port| Check::Listens { port })
}

/// Why a process that runs is not ready, once it had its time.
pub(super) fn unready(
    scene: &Scene,
    pod: &Pod,
    running: &ContainerStateRunning,
    moment: Moment,
    patience: Duration,
) -> Option<Failure> {
    let ran = moment.since(running.started_at.as_ref());
    let is_wrong = last_complaint(scene, pod).is_some_and(|said| said.contains("statuscode: 4"));
    if ran
        < if is_wrong {
            patience.min(WRONG_PATIENCE)
        } else {
            patience
        }
    {
        return None;
    }
    let said = last_complaint(scene, pod).map(str::to_owned);
    let failure = match check_of(pod) {
        Check::Answers { path } if said.as_deref().is_none_or(|said| !is_silent(said)) => {
            unhealthy(&path, said.as_deref())
        }
        Check::Listens { port } => silent(&port, ran),
        Check::Answers { .. } | Check::None => silent(&PORT.to_string(), ran),
    };
    Some(failure.with_log(pod, false))
}

/// Whether its health check, and not itself, ended the process.
pub(super) fn killed(scene: &Scene, pod: &Pod) -> Option<Failure> {
    let events = scene.events_of(&pod.metadata);
    let killing = events.iter().any(|event| {
        event.reason.as_deref() == Some("Killing")
            && event
                .message
                .as_deref()
                .is_some_and(|message| message.contains("failed liveness probe"))
    });
    if !killing {
        return None;
    }
    let liveness = container(pod).and_then(|container| container.liveness_probe.as_ref());
    let path = liveness
        .and_then(|probe| probe.http_get.as_ref()?.path.clone())
        .unwrap_or_else(|| "/".to_owned());
    let mut failure = unhealthy(&path, last_complaint(scene, pod));
    failure.reason = format!(
        "{} It was ended and started again because of that.",
        failure.reason
    );
    Some(failure)
}

fn unhealthy(path: &str, said: Option<&str>) -> Failure {
    let said = said.map_or_else(String::new, |said| format!(" ({said})"));
    Failure::new(
        Exit::HealthCheck,
        format!("It runs, but its health check fails: {path} does not answer as it must{said}."),
        format!(
            "{path} must answer with a status from 200 to 399; mend it, or choose another path with --health-check-path."
        ),
    )
}

fn silent(port: &str, ran: Duration) -> Failure {
    Failure::new(
        Exit::NotListening,
        format!(
            "It runs, but nothing listens on port {port} after {} s.",
            ran.as_secs()
        ),
        "It must listen on the port that the environment variable PORT names, on all addresses (0.0.0.0) and not only on 127.0.0.1.",
    )
}

/// What a probe said last: the part of the event's message behind `Readiness probe failed: `.
fn last_complaint<'a>(scene: &'a Scene, pod: &Pod) -> Option<&'a str> {
    let about = |event: &&'a Event| event.reason.as_deref() == Some("Unhealthy");
    let said = scene
        .events_of(&pod.metadata)
        .into_iter()
        .rev()
        .filter(about)
        .find_map(|event| Some(event.message.as_deref()?.split_once(" probe failed: ")?.1));
    said.map(|said| said.trim().trim_end_matches('.'))
}

/// Whether nobody was there to be asked.
fn is_silent(said: &str) -> bool {
    said.contains("connection refused") || said.contains("Connection refused")
}
