//! What a Pod's description says about its life cycle, read once.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod, Probe};

use super::probe::{ProbeFacts, ProbeKind};
use crate::volumes;

/// How long a container may take to stop when the Pod does not say; the API's default.
const GRACE: Duration = Duration::from_secs(30);

/// When a container that ended starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Always,
    OnFailure,
    Never,
}

impl Restart {
    fn parse(text: Option<&str>) -> Self {
        match text {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    /// Whether a container starts again after this exit code.
    pub(super) fn wants(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// What a container is to its Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to its end before the next starts.
    Init,
    /// An init container with restartPolicy Always: keeps running beside the others.
    Sidecar,
    /// What the Pod is for.
    Main,
}

/// A container's part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ContainerFacts {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) role: Role,
    pub(super) restart: Restart,
    pub(super) startup: Option<ProbeFacts>,
    pub(super) liveness: Option<ProbeFacts>,
    pub(super) readiness: Option<ProbeFacts>,
}

/// A Pod's part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PodFacts {
    /// `NAME_NAMESPACE(UID)`, as kubelet's messages have it.
    pub(crate) title: String,
    pub(crate) grace: Duration,
    pub(super) active_deadline: Option<Duration>,
    /// Whether containers wait until volumes are filled.
    pub(super) waits_for_volumes: bool,
    /// Init containers first, in their order.
    pub(crate) containers: Vec<ContainerFacts>,
}

impl PodFacts {
    /// Reads a Pod.
    pub(crate) fn of(pod: &Pod) -> Self {
        let metadata = &pod.metadata;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let title = format!(
            "{}_{}({})",
            text(&metadata.name),
            text(&metadata.namespace),
            text(&metadata.uid)
        );
        let Some(spec) = &pod.spec else {
            return Self {
                title,
                grace: GRACE,
                active_deadline: None,
                waits_for_volumes: false,
                containers: Vec::new(),
            };
        };
        let restart = Restart::parse(spec.restart_policy.as_deref());
        let init = spec
            .init_containers
            .iter()
            .flatten()
            .map(|container| init_facts(container, restart));
        let main = spec
            .containers
            .iter()
            .map(|container| container_facts(container, Role::Main, restart));
        Self {
            title,
            grace: spec.termination_grace_period_seconds.map_or(GRACE, seconds),
            active_deadline: spec.active_deadline_seconds.map(seconds),
            waits_for_volumes: volumes::has_any(pod),
            containers: init.chain(main).collect(),
        }
    }
}

fn init_facts(container: &Container, pod: Restart) -> ContainerFacts {
    if container.restart_policy.as_deref() == Some("Always") {
        return container_facts(container, Role::Sidecar, Restart::Always);
    }
    // "Always" is about what the Pod is for; an init container that succeeded is done.
    let restart = if pod == Restart::Never {
        Restart::Never
    } else {
        Restart::OnFailure
    };
    let mut facts = container_facts(container, Role::Init, restart);
    (facts.startup, facts.liveness, facts.readiness) = (None, None, None);
    facts
}

fn container_facts(container: &Container, role: Role, restart: Restart) -> ContainerFacts {
    let read = |probe: &Option<Probe>, kind| probe.as_ref().map(|probe| ProbeFacts::of(probe, kind));
    ContainerFacts {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        role,
        restart,
        startup: read(&container.startup_probe, ProbeKind::Startup),
        liveness: read(&container.liveness_probe, ProbeKind::Liveness),
        readiness: read(&container.readiness_probe, ProbeKind::Readiness),
    }
}

pub(super) fn seconds(value: i64) -> Duration {
    Duration::from_secs(u64::try_from(value).unwrap_or_default())
}
