//! A Pod that an earlier life of the node has run: its counts go on, what ran then has ended.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, PodStatus};

use super::{
    container::{ContainerLife, Ended, State},
    facts::{PodFacts, Role},
    machine::{Doom, PodLife},
};

/// What is told of a container whose end nobody saw: it was killed with the node.
const KILLED: i32 = 137;

impl PodLife {
    /// A Pod as its status describes it; a Pod without one is new.
    pub(crate) fn recover(facts: PodFacts, status: &PodStatus, now: Timestamp) -> Self {
        let mut life = Self::new(facts, now);
        if let Some(started) = &status.start_time {
            life.start_time = started.0;
        }
        if status.phase.as_deref() == Some("Failed") && status.reason.as_deref() == Some("DeadlineExceeded") {
            life.doom = Some(Doom {
                reason: "DeadlineExceeded",
                message: status.message.clone().unwrap_or_default(),
            });
        }
        for container in &mut life.containers {
            let statuses = match container.facts.role {
                Role::Main => &status.container_statuses,
                Role::Init | Role::Sidecar => &status.init_container_statuses,
                Role::Ephemeral => &status.ephemeral_container_statuses,
            };
            let known = statuses
                .iter()
                .flatten()
                .find(|known| known.name == container.facts.name);
            if let Some(known) = known {
                restore(container, known, now);
            }
        }
        // Init containers prepare what the main ones find; like on a machine that has booted, they run again.
        if !life.is_finished()
            && life
                .containers
                .iter()
                .any(|container| container.facts.role == Role::Main)
        {
            life.rewind_init();
        }
        life
    }

    fn rewind_init(&mut self) {
        let mut first_main = self
            .containers
            .iter()
            .filter(|container| container.facts.role == Role::Main);
        let must_start = first_main.any(|container| container.final_code().is_none());
        for container in self
            .containers
            .iter_mut()
            .filter(|container| container.facts.role == Role::Init)
        {
            if must_start && container.final_code() == Some(0) {
                container.wait_again();
            }
        }
        if must_start {
            for container in self
                .containers
                .iter_mut()
                .filter(|container| container.facts.role == Role::Main)
            {
                // Forgotten so that the main containers wait for the init containers again.
                container.id = None;
            }
        }
    }
}

fn restore(container: &mut ContainerLife, known: &ContainerStatus, now: Timestamp) {
    container.restarts = u32::try_from(known.restart_count).unwrap_or_default();
    container.last = known
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref())
        .map(ended);
    container.id.clone_from(&known.container_id);
    let state = known.state.clone().unwrap_or_default();
    let how = match state {
        ContainerState {
            terminated: Some(terminated),
            ..
        } => Some(ended(&terminated)),
        ContainerState {
            running: Some(running),
            ..
        } => Some(Ended {
            code: KILLED,
            signal: None,
            reason: "Error".to_owned(),
            message: Some("the node was stopped or restarted".to_owned()),
            started_at: running.started_at.map(|time| time.0),
            finished_at: now,
            id: known.container_id.clone(),
        }),
        // Waiting for a restart: the end that it waited after stands in lastState.
        _ => container.last.take(),
    };
    if let Some(how) = how {
        let restart_at = container.facts.restart.wants(how.code).then_some(now);
        container.state = State::Ended {
            how,
            wait: SignedDuration::ZERO,
            restart_at,
        };
    }
}

fn ended(terminated: &ContainerStateTerminated) -> Ended {
    Ended {
        code: terminated.exit_code,
        signal: terminated.signal,
        reason: terminated.reason.clone().unwrap_or_default(),
        message: terminated.message.clone(),
        started_at: terminated.started_at.as_ref().map(|time| time.0),
        finished_at: terminated
            .finished_at
            .as_ref()
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        id: terminated.container_id.clone(),
    }
}
