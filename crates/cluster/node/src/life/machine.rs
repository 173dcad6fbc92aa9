//! The whole Pod: what happened goes in, what to do next comes out.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    container::{ContainerLife, State},
    facts::{PodFacts, Role},
    hook::{Hook, HookKind},
    probe::{Change, ProbeKind},
};
use crate::runtime::{Exit, Stop};

/// How long a container that could not be created waits for the next try: what was missing (a Secret, a folder) may
/// have come meanwhile, and nothing tells us.
const RETRY: Duration = Duration::from_secs(10);

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Create and start a container; `attempt` counts earlier starts.
    Start { index: usize, attempt: u32 },
    /// Stop a container.
    Stop { index: usize, how: Stop },
    /// Run a probe.
    Probe { index: usize, kind: ProbeKind },
    /// Run a hook, which may take until a time.
    Hook {
        index: usize,
        kind: HookKind,
        until: Option<Timestamp>,
    },
    /// Nothing of the Pod runs any more and it is to go: take its object away.
    Finish,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happened {
    /// A container started, under this id.
    Started { index: usize, id: String },
    /// A container cannot be created from its description.
    NotCreated { index: usize, message: String },
    /// A container was created but does not start.
    NotStarted { index: usize, message: String },
    /// A container ended; `message` is what it leaves to be told.
    Ended {
        index: usize,
        exit: Exit,
        message: Option<String>,
    },
    /// A probe came back. `attempt` is the start that it belongs to.
    Probed {
        index: usize,
        kind: ProbeKind,
        attempt: u32,
        success: bool,
        output: String,
    },
    /// A hook came to its end, or did not. `attempt` is the start that it belongs to.
    Hooked {
        index: usize,
        kind: HookKind,
        attempt: u32,
        failure: Option<String>,
    },
    /// The Pod's volumes are filled.
    VolumesReady,
    /// A volume cannot be filled, for now.
    VolumesFailed { message: String },
    /// Somebody deleted the Pod.
    Deleted { grace: Duration },
}

/// Something that people should be able to read in the Pod's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) warning: bool,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// The container that it is about.
    pub(crate) index: Option<usize>,
}

/// Why the Pod as a whole has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doom {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// A Pod's life.
#[derive(Debug, Clone)]
pub(crate) struct PodLife {
    pub(crate) facts: PodFacts,
    pub(super) containers: Vec<ContainerLife>,
    pub(super) start_time: Timestamp,
    pub(super) doom: Option<Doom>,
    /// Whether the volumes are there that containers wait for.
    has_volumes: bool,
    /// When containers are forced, once the Pod has been deleted.
    deleting: Option<Timestamp>,
    finished: bool,
}

impl PodLife {
    /// A Pod that has just been given to this node.
    pub(crate) fn new(facts: PodFacts, now: Timestamp) -> Self {
        let has_init = facts.containers.iter().any(|container| container.role.is_init());
        let life = |container: &_| ContainerLife::new(Clone::clone(container), has_init);
        let containers = facts.containers.iter().map(life).collect();
        Self {
            has_volumes: !facts.waits_for_volumes,
            facts,
            containers,
            start_time: now,
            doom: None,
            deleting: None,
            finished: false,
        }
    }

    /// Takes in what happened, and says what of it is worth telling.
    pub(crate) fn take(&mut self, happened: Happened, now: Timestamp) -> Vec<Note> {
        match happened {
            Happened::Started { index, id } => self.on(index, |container| {
                container.started(id, now);
                let name = &container.facts.name;
                vec![
                    note(index, "Created", format!("Created container: {name}")),
                    note(index, "Started", format!("Started container {name}")),
                ]
            }),
            Happened::NotCreated { index, message } => self.on(index, |container| {
                container.not_created(message.clone(), now + RETRY);
                vec![warning(index, "Failed", format!("Error: {message}"))]
            }),
            Happened::NotStarted { index, message } => self.on(index, |container| {
                container.not_started(message.clone(), now);
                vec![warning(index, "Failed", format!("Error: {message}"))]
            }),
            Happened::Ended { index, exit, message } => {
                let title = self.facts.title.clone();
                self.on(index, |container| {
                    container.ended(&exit, message);
                    let waits = matches!(&container.state, State::Ended { wait, restart_at: Some(_), .. } if !wait.is_zero());
                    let text = format!("Back-off restarting failed container {} in pod {title}", container.facts.name);
                    if waits { vec![warning(index, "BackOff", text)] } else { Vec::new() }
                })
            }
            Happened::Probed {
                index,
                kind,
                attempt,
                success,
                output,
            } => self.take_probe(index, kind, attempt, success, &output, now),
            Happened::Hooked {
                index,
                kind,
                attempt,
                failure,
            } => self.take_hook(index, kind, attempt, failure.as_deref(), now),
            Happened::VolumesReady => {
                self.has_volumes = true;
                Vec::new()
            }
            Happened::VolumesFailed { message } => vec![Note {
                warning: true,
                reason: "FailedMount",
                message,
                index: None,
            }],
            Happened::Deleted { grace } => {
                let force_at = now + grace;
                // A second deletion may shorten the time, never lengthen it.
                self.deleting = Some(self.deleting.map_or(force_at, |before| before.min(force_at)));
                Vec::new()
            }
        }
    }

    /// What to do now. Asked again after everything that happened, and at [`Self::wake_at`].
    pub(crate) fn next(&mut self, now: Timestamp) -> (Vec<Action>, Vec<Note>) {
        let mut notes = Vec::new();
        if let Some(force_at) = self.deleting {
            self.stop_for(force_at, now, &mut notes);
        } else {
            self.keep_deadline(now);
            if self.doom.is_some() {
                self.stop_for(now + self.facts.grace, now, &mut notes);
            } else if self.is_finished() {
                self.stop_others(now + self.facts.grace, now, &mut notes);
            }
        }
        let mut actions = self.starts(now);
        for (index, container) in self.containers.iter_mut().enumerate() {
            hooks(index, container, &mut actions);
            stops(index, container, now, &mut actions);
            probes(index, container, now, &mut actions);
        }
        if self.is_over() && !self.finished {
            self.finished = true;
            actions.push(Action::Finish);
        }
        (actions, notes)
    }

    /// When something is to be done even if nothing happens.
    ///
    /// Asked after [`Self::next`]: what is due by `now` and was not done then waits for something else to happen.
    pub(crate) fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let deadline = (self.deleting.is_none() && self.doom.is_none() && !self.is_finished())
            .then(|| {
                self.facts
                    .active_deadline
                    .map(|deadline| self.start_time + deadline)
            })
            .flatten();
        let stopping =
            !self.has_volumes || self.deleting.is_some() || self.doom.is_some() || self.is_finished();
        let starts = self
            .containers
            .iter()
            .filter(|_| !stopping)
            .filter_map(|container| match &container.state {
                State::Waiting { until, .. } => *until,
                State::Ended { restart_at, .. } => *restart_at,
                _ => None,
            });
        let runs = self
            .containers
            .iter()
            .filter_map(ContainerLife::run)
            .filter_map(|run| match &run.stopping {
                Some(stopping) => (!stopping.forced).then_some(stopping.force_at()),
                None => run.probes.iter().filter_map(super::probe::ProbeState::next).min(),
            });
        starts
            .chain(runs)
            .chain(deadline)
            .filter(|time| *time > now)
            .min()
    }

    /// Whether nothing of it will ever run again.
    pub(crate) fn is_finished(&self) -> bool {
        let failed_init = self.containers.iter().any(|container| {
            container.facts.role == Role::Init && container.final_code().is_some_and(|code| code != 0)
        });
        let mut main = self
            .containers
            .iter()
            .filter(|container| container.facts.role == Role::Main)
            .peekable();
        failed_init || (main.peek().is_some() && main.all(|container| container.final_code().is_some()))
    }

    /// Whether its init containers are through.
    pub(super) fn is_initialized(&self) -> bool {
        let mut init = self
            .containers
            .iter()
            .filter(|container| container.facts.role.is_init());
        init.all(ContainerLife::lets_others_start) || self.has_begun()
    }

    /// Whether a main container has ever been started.
    fn has_begun(&self) -> bool {
        self.containers.iter().any(|container| {
            container.facts.role == Role::Main
                && (container.is_busy()
                    || matches!(container.state, State::Ended { .. }) && container.id.is_some())
        })
    }

    /// The Pod's description is another: images, a nearer deadline and more ephemeral containers may come.
    pub(crate) fn change(&mut self, facts: PodFacts, now: Timestamp) -> Vec<Note> {
        let mut notes = Vec::new();
        let grace = facts.grace;
        for (index, (container, new)) in self.containers.iter_mut().zip(&facts.containers).enumerate() {
            if container.change(new.clone()) {
                let name = &container.facts.name;
                let text = format!("Container {name} definition changed, will be restarted");
                notes.push(note(index, "Killing", text));
                container.stop(now + grace, now);
            }
        }
        let added = facts.containers.iter().skip(self.containers.len());
        self.containers
            .extend(added.map(|new| ContainerLife::new(new.clone(), false)));
        self.facts = facts;
        notes
    }

    /// Whether it is to go and nothing of it runs any more.
    pub(super) fn is_over(&self) -> bool {
        self.deleting.is_some() && !self.containers.iter().any(ContainerLife::is_busy)
    }

    fn on(&mut self, index: usize, act: impl FnOnce(&mut ContainerLife) -> Vec<Note>) -> Vec<Note> {
        self.containers.get_mut(index).map(act).unwrap_or_default()
    }

    fn take_probe(
        &mut self,
        index: usize,
        kind: ProbeKind,
        attempt: u32,
        success: bool,
        output: &str,
        now: Timestamp,
    ) -> Vec<Note> {
        let grace = self.facts.grace;
        self.on(index, |container| {
            if container.restarts != attempt {
                return Vec::new();
            }
            let Some(probe) = container.probe_mut(kind) else {
                return Vec::new();
            };
            let change = probe.take(success, now);
            let grace = probe.facts.grace.unwrap_or(grace);
            let mut notes = Vec::new();
            if matches!(change, Change::Failing | Change::Failed) {
                notes.push(warning(
                    index,
                    "Unhealthy",
                    format!("{} probe failed: {output}", kind.title()),
                ));
            }
            match (kind, change) {
                (ProbeKind::Startup, Change::Passed) => container.past_startup(now),
                (ProbeKind::Readiness, Change::Passed | Change::Failed) => {
                    if let Some(run) = container.run_mut() {
                        run.ready = change == Change::Passed;
                    }
                }
                (ProbeKind::Startup | ProbeKind::Liveness, Change::Failed) => {
                    container.stop(now + grace, now);
                    let (name, probe) = (&container.facts.name, kind.title().to_lowercase());
                    notes.push(note(
                        index,
                        "Killing",
                        format!("Container {name} failed {probe} probe, will be restarted"),
                    ));
                }
                _ => {}
            }
            notes
        })
    }

    fn take_hook(
        &mut self,
        index: usize,
        kind: HookKind,
        attempt: u32,
        failure: Option<&str>,
        now: Timestamp,
    ) -> Vec<Note> {
        let grace = self.facts.grace;
        self.on(index, |container| {
            if container.restarts != attempt {
                return Vec::new();
            }
            let mut notes = Vec::new();
            if let Some(why) = failure {
                notes.push(warning(
                    index,
                    kind.failure(),
                    format!("{} failed: {why}", kind.title()),
                ));
            }
            let stopping = container.run_mut().and_then(|run| run.stopping.as_mut());
            match (kind, stopping) {
                (HookKind::PreStop, Some(stopping)) => stopping.past_hook(now),
                (HookKind::PostStart, None) if failure.is_none() => container.runs(now),
                (HookKind::PostStart, None) => {
                    container.stop(now + grace, now);
                    notes.push(note(index, "Killing", HookKind::PostStart.failure().to_owned()));
                }
                _ => {}
            }
            notes
        })
    }

    fn keep_deadline(&mut self, now: Timestamp) {
        let Some(deadline) = self.facts.active_deadline else {
            return;
        };
        if self.doom.is_none() && !self.is_finished() && self.start_time + deadline <= now {
            let message = "Pod was active on the node longer than the specified deadline".to_owned();
            self.doom = Some(Doom {
                reason: "DeadlineExceeded",
                message,
            });
        }
    }

    /// Stops everything: sidecars when the others have ended, so that these can use them to the last.
    fn stop_for(&mut self, force_at: Timestamp, now: Timestamp, notes: &mut Vec<Note>) {
        let others_busy = self
            .containers
            .iter()
            .any(|container| container.facts.role != Role::Sidecar && container.is_busy());
        for (index, container) in self.containers.iter_mut().enumerate() {
            if container.facts.role != Role::Sidecar || !others_busy {
                stop_one(index, container, force_at, now, notes);
            }
        }
    }

    /// Stops what is left when the main containers have ended.
    fn stop_others(&mut self, force_at: Timestamp, now: Timestamp, notes: &mut Vec<Note>) {
        for (index, container) in self.containers.iter_mut().enumerate() {
            if matches!(container.facts.role, Role::Sidecar | Role::Ephemeral) {
                stop_one(index, container, force_at, now, notes);
            }
        }
    }

    fn starts(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.has_volumes || self.deleting.is_some() || self.doom.is_some() || self.is_finished() {
            return actions;
        }
        let initialized = self.is_initialized();
        let mut held = false;
        for (index, container) in self.containers.iter_mut().enumerate() {
            let may_start = match container.facts.role {
                Role::Main => initialized,
                Role::Init => !held && !initialized && !container.lets_others_start(),
                Role::Sidecar => !held,
                Role::Ephemeral => true,
            };
            if may_start && container.is_due(now) {
                actions.push(Action::Start {
                    index,
                    attempt: container.begin(),
                });
            }
            held |= container.facts.role.is_init() && !container.lets_others_start();
        }
        actions
    }
}

fn stop_one(
    index: usize,
    container: &mut ContainerLife,
    force_at: Timestamp,
    now: Timestamp,
    notes: &mut Vec<Note>,
) {
    if container.run().is_some_and(|run| run.stopping.is_none()) {
        notes.push(note(
            index,
            "Killing",
            format!("Stopping container {}", container.facts.name),
        ));
    }
    // Asked again at every step: the first time stands, a shorter one wins.
    container.stop(force_at, now);
}

fn hooks(index: usize, container: &mut ContainerLife, actions: &mut Vec<Action>) {
    let run = container.run_mut().filter(|run| run.stopping.is_none());
    if run.is_some_and(|run| run.post_start.begin()) {
        actions.push(Action::Hook {
            index,
            kind: HookKind::PostStart,
            until: None,
        });
    }
}

fn stops(index: usize, container: &mut ContainerLife, now: Timestamp, actions: &mut Vec<Action>) {
    let Some(stopping) = container.run_mut().and_then(|run| run.stopping.as_mut()) else {
        return;
    };
    if stopping.hook.begin() {
        let until = Some(stopping.force_at());
        actions.push(Action::Hook {
            index,
            kind: HookKind::PreStop,
            until,
        });
    }
    if stopping.hook == Hook::Running {
        if stopping.force_at() > now {
            return;
        }
        stopping.past_hook(now);
    }
    if stopping.force_at() <= now && !stopping.forced {
        (stopping.asked, stopping.forced) = (true, true);
        actions.push(Action::Stop {
            index,
            how: Stop::Force,
        });
    } else if !stopping.asked {
        stopping.asked = true;
        actions.push(Action::Stop {
            index,
            how: Stop::Ask,
        });
    }
}

fn probes(index: usize, container: &mut ContainerLife, now: Timestamp, actions: &mut Vec<Action>) {
    let Some(run) = container.run_mut().filter(|run| run.stopping.is_none()) else {
        return;
    };
    for probe in &mut run.probes {
        if probe.next().is_some_and(|next| next <= now) {
            probe.begin();
            actions.push(Action::Probe {
                index,
                kind: probe.facts.kind,
            });
        }
    }
}

fn note(index: usize, reason: &'static str, message: String) -> Note {
    Note {
        warning: false,
        reason,
        message,
        index: Some(index),
    }
}

fn warning(index: usize, reason: &'static str, message: String) -> Note {
    Note {
        warning: true,
        reason,
        message,
        index: Some(index),
    }
}

#[cfg(test)]
mod tests;
