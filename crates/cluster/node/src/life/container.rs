//! One container between waiting, running and ended.

use jiff::{SignedDuration, Timestamp};

use super::{
    backoff::Backoff,
    facts::{ContainerFacts, Role},
    hook::{Hook, after_hook},
    probe::{ProbeKind, ProbeState},
};
use crate::runtime::Exit;

/// The exit code of a container that could not be started; containerd's.
const START_FAILED: i32 = 128;
/// The reason that goes with it.
pub(super) const START_ERROR: &str = "StartError";

/// How a container ended, as its status tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
    pub(crate) reason: String,
    pub(crate) message: Option<String>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Timestamp,
    pub(crate) id: Option<String>,
}

impl Ended {
    fn of(exit: &Exit, started_at: Timestamp, id: Option<String>, message: Option<String>) -> Self {
        let reason = match exit {
            Exit {
                out_of_memory: true, ..
            } => "OOMKilled",
            Exit { code: 0, .. } => "Completed",
            _ => "Error",
        };
        Self {
            code: exit.code,
            signal: exit.signal,
            reason: reason.to_owned(),
            message,
            started_at: Some(started_at),
            finished_at: exit.at,
            id,
        }
    }

    fn not_started(message: String, now: Timestamp) -> Self {
        let reason = START_ERROR.to_owned();
        Self {
            code: START_FAILED,
            signal: None,
            reason,
            message: Some(message),
            started_at: None,
            finished_at: now,
            id: None,
        }
    }
}

/// A stop that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopping {
    force_at: Timestamp,
    /// Not to be forced before, for the time after a hook is its own.
    least: Option<Timestamp>,
    /// What has to be done before it is asked.
    pub(super) hook: Hook,
    pub(super) asked: bool,
    pub(super) forced: bool,
}

impl Stopping {
    /// When it is forced.
    pub(super) fn force_at(&self) -> Timestamp {
        self.least.map_or(self.force_at, |least| least.max(self.force_at))
    }

    /// Its hook is through, or has used up all time.
    pub(super) fn past_hook(&mut self, now: Timestamp) {
        self.hook = Hook::Done;
        self.least = Some(after_hook(now));
    }
}

#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) since: Timestamp,
    pub(super) probes: Vec<ProbeState>,
    pub(super) started: bool,
    pub(super) ready: bool,
    /// What has to be done before it counts as running.
    pub(super) post_start: Hook,
    pub(super) stopping: Option<Stopping>,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    /// Not started (again) yet.
    Waiting {
        reason: &'static str,
        message: Option<String>,
        until: Option<Timestamp>,
    },
    /// The runtime is at it.
    Starting,
    Running(Run),
    Ended {
        how: Ended,
        wait: SignedDuration,
        restart_at: Option<Timestamp>,
    },
}

/// One container's life.
#[derive(Debug, Clone)]
pub(super) struct ContainerLife {
    pub(super) facts: ContainerFacts,
    pub(super) state: State,
    pub(super) last: Option<Ended>,
    pub(super) restarts: u32,
    pub(super) id: Option<String>,
    /// Whether its description changed while it ran, so that it starts again whatever its policy says.
    changed: bool,
    backoff: Backoff,
}

/// Why a container has not started, while nothing is wrong; kubelet's words.
pub(super) const CREATING: &str = "ContainerCreating";
pub(super) const INITIALIZING: &str = "PodInitializing";

impl ContainerLife {
    pub(super) fn new(facts: ContainerFacts, has_init: bool) -> Self {
        let reason = if has_init { INITIALIZING } else { CREATING };
        Self {
            facts,
            state: State::Waiting {
                reason,
                message: None,
                until: None,
            },
            last: None,
            restarts: 0,
            id: None,
            changed: false,
            backoff: Backoff::default(),
        }
    }

    /// Whether it may be started now, as far as it is concerned.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        match &self.state {
            State::Waiting { until, .. } => until.is_none_or(|until| until <= now),
            State::Ended {
                restart_at: Some(at), ..
            } => *at <= now,
            _ => false,
        }
    }

    /// Marks it as being started, and says which start this is.
    pub(super) fn begin(&mut self) -> u32 {
        if let State::Ended { how, .. } = std::mem::replace(&mut self.state, State::Starting) {
            self.last = Some(how);
            self.restarts = self.restarts.saturating_add(1);
        }
        self.restarts
    }

    /// It was started; what is to be done then comes first.
    pub(super) fn started(&mut self, id: String, now: Timestamp) {
        let post_start = Hook::of(self.facts.post_start);
        self.id = Some(id);
        self.state = State::Running(Run {
            since: now,
            probes: Vec::new(),
            started: false,
            ready: false,
            post_start,
            stopping: None,
        });
        if post_start == Hook::Done {
            self.runs(now);
        }
    }

    /// From now on it runs, and is probed.
    pub(super) fn runs(&mut self, now: Timestamp) {
        let probe = |facts: &Option<_>| facts.clone().map(|facts| ProbeState::new(facts, now));
        let facts = &self.facts;
        let started = facts.startup.is_none();
        // The other probes wait for the first success of the startup probe.
        let probes: Vec<ProbeState> = if started {
            [&facts.liveness, &facts.readiness]
                .into_iter()
                .filter_map(probe)
                .collect()
        } else {
            probe(&facts.startup).into_iter().collect()
        };
        // Nobody waits for an ephemeral container.
        let ready = started && facts.readiness.is_none() && facts.role != Role::Ephemeral;
        if let State::Running(run) = &mut self.state {
            (run.post_start, run.probes, run.started, run.ready) = (Hook::Done, probes, started, ready);
        }
    }

    /// Its description is another. A container that runs is stopped, to start again by the new one.
    pub(super) fn change(&mut self, facts: ContainerFacts) -> bool {
        let another = self.facts.image != facts.image;
        self.facts = facts;
        self.changed |= another && self.is_busy();
        another && self.run().is_some_and(|run| run.stopping.is_none())
    }

    /// The startup probe has succeeded.
    pub(super) fn past_startup(&mut self, now: Timestamp) {
        let others = [&self.facts.liveness, &self.facts.readiness];
        let probes = others
            .into_iter()
            .flatten()
            .map(|facts| ProbeState::new(facts.clone(), now))
            .collect();
        let ready = self.facts.readiness.is_none();
        if let State::Running(run) = &mut self.state {
            (run.started, run.ready, run.probes) = (true, ready, probes);
        }
    }

    pub(super) fn not_created(&mut self, message: String, until: Timestamp) {
        let reason = "CreateContainerConfigError";
        self.state = State::Waiting {
            reason,
            message: Some(message),
            until: Some(until),
        };
    }

    pub(super) fn not_started(&mut self, message: String, now: Timestamp) {
        self.end(Ended::not_started(message, now), SignedDuration::ZERO);
    }

    pub(super) fn ended(&mut self, exit: &Exit, message: Option<String>) {
        let since = self.run().map_or(exit.at, |run| run.since);
        let how = Ended::of(exit, since, self.id.clone(), message);
        self.end(how, exit.at.duration_since(since));
    }

    fn end(&mut self, how: Ended, ran: SignedDuration) {
        let (mut wait, mut restart_at) = (SignedDuration::ZERO, None);
        if std::mem::take(&mut self.changed) {
            restart_at = Some(how.finished_at);
        } else if self.facts.restart.wants(how.code) {
            wait = self.backoff.after(ran);
            restart_at = Some(how.finished_at + wait);
        }
        self.state = State::Ended {
            how,
            wait,
            restart_at,
        };
    }

    pub(super) fn run(&self) -> Option<&Run> {
        match &self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }

    pub(super) fn run_mut(&mut self) -> Option<&mut Run> {
        match &mut self.state {
            State::Running(run) => Some(run),
            _ => None,
        }
    }

    /// Whether the runtime has anything of it.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.state, State::Starting | State::Running(_))
    }

    /// Whether the next init container, or the main ones, may start.
    pub(super) fn lets_others_start(&self) -> bool {
        match (&self.state, self.facts.role) {
            (State::Ended { how, .. }, Role::Init) => how.code == 0,
            (State::Running(run), Role::Sidecar) => run.started,
            // A sidecar that has once been up does not hold the others back when it is restarted.
            (State::Ended { .. } | State::Starting, Role::Sidecar) => {
                self.last.is_some() || self.id.is_some()
            }
            _ => false,
        }
    }

    /// The code of a container that has ended for good.
    pub(super) fn final_code(&self) -> Option<i32> {
        match &self.state {
            State::Ended {
                how,
                restart_at: None,
                ..
            } => Some(how.code),
            _ => None,
        }
    }

    /// Stops it; asked again, a shorter time wins.
    pub(super) fn stop(&mut self, force_at: Timestamp, now: Timestamp) {
        // Who has no time has none for hooks either.
        let hook = Hook::of(self.facts.pre_stop && force_at > now);
        if let Some(run) = self.run_mut() {
            let stopping = run.stopping.get_or_insert(Stopping {
                force_at,
                least: None,
                hook,
                asked: false,
                forced: false,
            });
            stopping.force_at = stopping.force_at.min(force_at);
        }
    }

    pub(super) fn probe_mut(&mut self, kind: ProbeKind) -> Option<&mut ProbeState> {
        self.run_mut()?
            .probes
            .iter_mut()
            .find(|probe| probe.facts.kind == kind)
    }
}

impl ContainerLife {
    /// An init container that has to run again before anything else of its Pod.
    pub(super) fn wait_again(&mut self) {
        if let State::Ended { how, .. } = &self.state {
            self.last = Some(how.clone());
        }
        self.state = State::Waiting {
            reason: INITIALIZING,
            message: None,
            until: None,
        };
    }
}
