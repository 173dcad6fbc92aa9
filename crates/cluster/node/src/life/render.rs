//! A Pod's life as the status that everybody reads: phase, conditions, containers.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus, HostIP, PodCondition, PodIP, PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use super::{
    container::{CREATING, ContainerLife, Ended, INITIALIZING, START_ERROR, State},
    facts::Role,
    hook::Hook,
    machine::PodLife,
};

/// What the status says besides the life itself.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) pod_ip: Option<Ipv4Addr>,
    pub(crate) host_ip: Ipv4Addr,
    /// Name of the runtime in front of container ids, such as `process`.
    pub(crate) runtime: String,
    /// Conditions that must be true for the Pod to be ready, with their state.
    pub(crate) gates_open: bool,
    /// The status as it stands; conditions of others and times of transitions are kept.
    pub(crate) before: PodStatus,
}

/// How a Pod's phase is to be read, in the order in which it goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

impl PodLife {
    /// The status at this moment.
    pub(crate) fn status(&self, around: &Surroundings, now: Timestamp) -> PodStatus {
        let phase = self.phase();
        let of = |wanted: fn(Role) -> bool| -> Option<Vec<ContainerStatus>> {
            let chosen = self
                .containers
                .iter()
                .filter(|container| wanted(container.facts.role));
            let list: Vec<_> = chosen
                .map(|container| self.container_status(container, &around.runtime))
                .collect();
            (!list.is_empty()).then_some(list)
        };
        PodStatus {
            phase: Some(phase.name().to_owned()),
            conditions: Some(self.conditions(phase, around, now)),
            init_container_statuses: of(Role::is_init),
            ephemeral_container_statuses: of(|role| role == Role::Ephemeral),
            container_statuses: of(|role| role == Role::Main),
            host_ip: Some(around.host_ip.to_string()),
            host_ips: Some(vec![HostIP {
                ip: around.host_ip.to_string(),
            }]),
            pod_ip: around.pod_ip.map(|ip| ip.to_string()),
            pod_ips: around.pod_ip.map(|ip| vec![PodIP { ip: ip.to_string() }]),
            start_time: Some(Time(self.start_time)),
            qos_class: around.before.qos_class.clone(),
            reason: self.doom.as_ref().map(|doom| doom.reason.to_owned()),
            message: self.doom.as_ref().map(|doom| doom.message.clone()),
            ..PodStatus::default()
        }
    }

    fn phase(&self) -> Phase {
        if self.doom.is_some() {
            return Phase::Failed;
        }
        let main = || {
            self.containers
                .iter()
                .filter(|container| container.facts.role == Role::Main)
        };
        if self.is_finished() {
            let well = main().all(|container| container.final_code() == Some(0));
            return if well { Phase::Succeeded } else { Phase::Failed };
        }
        if self.is_over() && main().any(|container| matches!(container.state, State::Ended { .. })) {
            // Whatever its policy, nothing starts again.
            let well =
                main().all(|container| matches!(&container.state, State::Ended { how, .. } if how.code == 0));
            return if well { Phase::Succeeded } else { Phase::Failed };
        }
        let never_ran = |container: &ContainerLife| {
            let waits = match &container.state {
                State::Waiting { .. } | State::Starting => true,
                State::Running(run) => run.post_start != Hook::Done,
                State::Ended { .. } => false,
            };
            waits && container.last.is_none()
        };
        if !self.is_initialized() || main().any(never_ran) {
            Phase::Pending
        } else {
            Phase::Running
        }
    }

    fn conditions(&self, phase: Phase, around: &Surroundings, now: Timestamp) -> Vec<PodCondition> {
        let names = |wanted: &dyn Fn(&&ContainerLife) -> bool| -> String {
            let names: Vec<&str> = self
                .containers
                .iter()
                .filter(wanted)
                .map(|container| container.facts.name.as_str())
                .collect();
            names.join(" ")
        };
        let waiting = names(&|container| container.facts.role.is_init() && !container.lets_others_start());
        let initialized = if phase == Phase::Succeeded {
            (true, Some("PodCompleted"), None)
        } else if self.is_initialized() {
            (true, None, None)
        } else {
            (
                false,
                Some("ContainersNotInitialized"),
                Some(format!("containers with incomplete status: [{waiting}]")),
            )
        };
        let unready = names(&|container| {
            matches!(container.facts.role, Role::Main | Role::Sidecar)
                && !container.run().is_some_and(|run| run.ready)
        });
        let containers_ready = match phase {
            Phase::Succeeded => (false, Some("PodCompleted"), None),
            Phase::Failed => (false, Some("PodFailed"), None),
            _ if unready.is_empty() => (true, None, None),
            _ => (
                false,
                Some("ContainersNotReady"),
                Some(format!("containers with unready status: [{unready}]")),
            ),
        };
        let ready = if containers_ready.0 && !around.gates_open {
            let text = "the status of a readiness gate is not \"True\"".to_owned();
            (false, Some("ReadinessGatesNotReady"), Some(text))
        } else {
            containers_ready.clone()
        };
        let own = [
            ("PodScheduled", (true, None, None)),
            ("Initialized", initialized),
            ("ContainersReady", containers_ready),
            ("Ready", ready),
        ];
        let before = around.before.conditions.as_deref().unwrap_or_default();
        let others = before
            .iter()
            .filter(|condition| own.iter().all(|(name, _)| *name != condition.type_))
            .cloned();
        let own = own
            .iter()
            .map(|(name, verdict)| condition(name, verdict, before, now));
        own.chain(others).collect()
    }

    fn container_status(&self, container: &ContainerLife, runtime: &str) -> ContainerStatus {
        let full_id = |id: &String| {
            if id.contains("://") {
                id.clone()
            } else {
                format!("{runtime}://{id}")
            }
        };
        let (state, last) = self.states(container, &full_id);
        let run = container.run();
        ContainerStatus {
            name: container.facts.name.clone(),
            image: container.facts.image.clone(),
            image_id: String::new(),
            container_id: container.id.as_ref().map(full_id),
            ready: match container.facts.role {
                Role::Init => container.lets_others_start(),
                _ => run.is_some_and(|run| run.ready),
            },
            started: Some(run.is_some_and(|run| run.started)),
            restart_count: i32::try_from(container.restarts).unwrap_or(i32::MAX),
            state: Some(state),
            last_state: last,
            ..ContainerStatus::default()
        }
    }

    fn states(
        &self,
        container: &ContainerLife,
        full_id: &dyn Fn(&String) -> String,
    ) -> (ContainerState, Option<ContainerState>) {
        let last = container.last.as_ref().map(|ended| terminated(ended, full_id));
        let waiting = |reason: &str, message: Option<String>| ContainerState {
            waiting: Some(ContainerStateWaiting {
                reason: Some(reason.to_owned()),
                message,
            }),
            ..ContainerState::default()
        };
        match &container.state {
            State::Waiting { reason, message, .. } => (waiting(reason, message.clone()), last),
            State::Running(run) if run.post_start != Hook::Done => (waiting(CREATING, None), last),
            State::Starting => {
                let reason = if self.is_initialized() {
                    CREATING
                } else {
                    INITIALIZING
                };
                (waiting(reason, None), last)
            }
            State::Running(run) => {
                let running = ContainerStateRunning {
                    started_at: Some(Time(run.since)),
                };
                (
                    ContainerState {
                        running: Some(running),
                        ..ContainerState::default()
                    },
                    last,
                )
            }
            State::Ended { how, .. } if self.is_over() => (terminated(how, full_id), last),
            State::Ended {
                how,
                restart_at: Some(_),
                ..
            } if how.reason == START_ERROR => (
                waiting("RunContainerError", how.message.clone()),
                Some(terminated(how, full_id)),
            ),
            State::Ended {
                how,
                restart_at: Some(_),
                wait,
            } if !wait.is_zero() => {
                let (name, pod) = (&container.facts.name, &self.facts.title);
                let text = format!(
                    "back-off {} restarting failed container={name} pod={pod}",
                    in_words(wait.as_secs())
                );
                (
                    waiting("CrashLoopBackOff", Some(text)),
                    Some(terminated(how, full_id)),
                )
            }
            State::Ended { how, .. } => (terminated(how, full_id), last),
        }
    }
}

/// Seconds as Go prints durations: `10s`, `1m20s`.
fn in_words(seconds: i64) -> String {
    if seconds < 60 {
        format!("{seconds}s")
    } else {
        format!("{}m{}s", seconds / 60, seconds % 60)
    }
}

fn terminated(ended: &Ended, full_id: &dyn Fn(&String) -> String) -> ContainerState {
    let terminated = ContainerStateTerminated {
        container_id: ended.id.as_ref().map(full_id),
        exit_code: ended.code,
        signal: ended.signal,
        reason: Some(ended.reason.clone()),
        message: ended.message.clone(),
        started_at: ended.started_at.map(Time),
        finished_at: Some(Time(ended.finished_at)),
    };
    ContainerState {
        terminated: Some(terminated),
        ..ContainerState::default()
    }
}

type Verdict = (bool, Option<&'static str>, Option<String>);

/// A condition, with the time of its last change.
fn condition(name: &str, verdict: &Verdict, before: &[PodCondition], now: Timestamp) -> PodCondition {
    let (holds, reason, message) = verdict;
    let status = if *holds { "True" } else { "False" };
    let same = before
        .iter()
        .find(|condition| condition.type_ == name && condition.status == status);
    let since = same.and_then(|condition| condition.last_transition_time.clone());
    PodCondition {
        type_: name.to_owned(),
        status: status.to_owned(),
        reason: reason.map(ToOwned::to_owned),
        message: message.clone(),
        last_transition_time: Some(since.unwrap_or(Time(now))),
        ..PodCondition::default()
    }
}
