//! What a Pod's description says about its life cycle, read once.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, Pod, Probe};

use super::probe::{ProbeFacts, ProbeKind};
use crate::volumes;

/// How long a container may take to stop when the Pod does not say; the API's default.
const GRACE: Duration = Duration::from_secs(30);

/// What an ephemeral container runs that names nothing.
const SHELL: &str = "sh";

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
    /// Added to a Pod that is there, to look into it; never restarted, and nothing depends on it.
    Ephemeral,
}

impl Role {
    /// Whether it comes before the main containers.
    pub(super) fn is_init(self) -> bool {
        matches!(self, Self::Init | Self::Sidecar)
    }
}

/// A container's part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ContainerFacts {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) role: Role,
    pub(super) restart: Restart,
    /// Whether something is to be done once it has started, and before it is stopped.
    pub(super) post_start: bool,
    pub(super) pre_stop: bool,
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
    /// Init containers first, in their order; ephemeral ones last.
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
        let ephemeral = spec
            .ephemeral_containers
            .iter()
            .flatten()
            .map(|container| container_facts(&ordinary(container), Role::Ephemeral, Restart::Never));
        Self {
            title,
            grace: spec.termination_grace_period_seconds.map_or(GRACE, seconds),
            active_deadline: spec.active_deadline_seconds.map(seconds),
            waits_for_volumes: volumes::has_any(pod),
            containers: init.chain(main).chain(ephemeral).collect(),
        }
    }
}

/// The containers of a Pod in the order in which a life counts them, each as an ordinary one.
pub(crate) fn containers(pod: &Pod) -> Vec<Container> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(ordinary);
    let init = spec.init_containers.iter().flatten().cloned();
    init.chain(spec.containers.iter().cloned())
        .chain(ephemeral)
        .collect()
}

/// An ephemeral container without what only it has. Without images there is no command to take from one: who looks
/// into a Pod wants a shell.
fn ordinary(container: &EphemeralContainer) -> Container {
    let container = container.clone();
    let no_words = container.command.as_ref().is_none_or(Vec::is_empty)
        && container.args.as_ref().is_none_or(Vec::is_empty);
    let command = if no_words {
        Some(vec![SHELL.to_owned()])
    } else {
        container.command
    };
    Container {
        name: container.name,
        image: container.image,
        command,
        args: container.args,
        env: container.env,
        env_from: container.env_from,
        image_pull_policy: container.image_pull_policy,
        security_context: container.security_context,
        stdin: container.stdin,
        stdin_once: container.stdin_once,
        termination_message_path: container.termination_message_path,
        termination_message_policy: container.termination_message_policy,
        tty: container.tty,
        volume_devices: container.volume_devices,
        volume_mounts: container.volume_mounts,
        working_dir: container.working_dir,
        ..Container::default()
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
        post_start: container
            .lifecycle
            .as_ref()
            .is_some_and(|cycle| cycle.post_start.is_some()),
        pre_stop: container
            .lifecycle
            .as_ref()
            .is_some_and(|cycle| cycle.pre_stop.is_some()),
        startup: read(&container.startup_probe, ProbeKind::Startup),
        liveness: read(&container.liveness_probe, ProbeKind::Liveness),
        readiness: read(&container.readiness_probe, ProbeKind::Readiness),
    }
}

pub(super) fn seconds(value: i64) -> Duration {
    Duration::from_secs(u64::try_from(value).unwrap_or_default())
}
