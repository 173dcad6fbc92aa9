//! The task of one Pod: waits for what happens, asks `life` what to do, does it.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodStatus};
use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    check, hook,
    launch::{Launch, launch},
    report::report,
    surroundings::{HOST_ADDRESS, Shared},
};
use crate::{
    life::{Action, Happened, HookKind, Note, PodFacts, PodLife, ProbeKind, Surroundings, containers},
    runtime::{ContainerId, Runtime, Stop},
    volumes::{self, Keep, keep},
};

/// How many happenings may wait: the task takes them at once, so this is never full for long.
const WAITING: usize = 64;
/// How long containers have to end when the whole platform stops.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// How long forced containers may take to be gone then.
const SHUTDOWN_FORCED: Duration = Duration::from_secs(5);
/// How long the last status of a deleted Pod may take; the deletion does not wait for ever.
const LAST_STATUS: Duration = Duration::from_secs(5);
/// Pauses between tries to take away the object.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What the agent has last seen of a Pod.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// The object as it is.
    There(Arc<Pod>),
    /// The object is gone.
    Gone,
}

struct Task<R> {
    shared: Arc<Shared<R>>,
    pod: Arc<Pod>,
    gone: bool,
    address: Ipv4Addr,
    life: PodLife,
    /// As `life` counts them.
    containers: Vec<Container>,
    /// What the runtime is at: without an id while it starts.
    busy: BTreeMap<usize, (u32, Option<ContainerId>)>,
    tell: mpsc::Sender<Happened>,
    status: watch::Sender<Option<PodStatus>>,
    before: PodStatus,
    /// Tells the keeper of the volumes of changes, and ends it.
    volumes: Option<Volumes>,
}

struct Volumes {
    pod: watch::Sender<Arc<Pod>>,
    _keeper: AbortOnDropHandle<()>,
}

/// Lives a Pod's life until its object is gone and its containers have ended, or until `shutdown`; the latter leaves
/// the object as it is.
pub(crate) async fn live<R: Runtime>(
    shared: Arc<Shared<R>>,
    pod: Arc<Pod>,
    address: Ipv4Addr,
    mut seen: watch::Receiver<Seen>,
    shutdown: CancellationToken,
) {
    let (tell, mut happenings) = mpsc::channel(WAITING);
    let (status, latest) = watch::channel(None);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (name, uid) = (text(&pod.metadata.name), text(&pod.metadata.uid));
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &text(&pod.metadata.namespace));
    let writer = tokio::spawn(report(pods.clone(), name.clone(), uid.clone(), latest));
    let mut task = Task::new(shared, pod, address, tell, status);
    task.look();
    let finished = loop {
        // One time for both: what falls due between two readings of the clock would never be done.
        let now = Timestamp::now();
        if task.step(now) {
            break true;
        }
        let wake = task.life.wake_at(now);
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break false,
            changed = seen.changed(), if !task.gone => {
                let now = if changed.is_ok() { seen.borrow_and_update().clone() } else { Seen::Gone };
                task.see(now);
            }
            Some(happened) = happenings.recv() => task.take(happened),
            () = pause_until(wake) => {}
        }
    };
    if finished {
        let (gone, shared) = (task.gone, task.shared.clone());
        drop(task);
        let of = uid.clone();
        let removed = tokio::task::spawn_blocking(move || shared.folders.remove(&of));
        if let Err(error) = removed.await {
            tracing::warn!(pod = name, %error, "the volumes of a Pod were not removed");
        }
        if !gone {
            let writer_abort = writer.abort_handle();
            if timeout(LAST_STATUS, writer).await.is_err() {
                writer_abort.abort();
            }
            shutdown.run_until_cancelled(take_away(&pods, &name, &uid)).await;
        }
    } else {
        task.end_all(&mut happenings).await;
        writer.abort();
    }
}

/// Sleeps until a time of the clock; for ever without one.
async fn pause_until(wake: Option<Timestamp>) {
    match wake {
        Some(at) => sleep(Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default()).await,
        None => std::future::pending().await,
    }
}

/// Takes the object of a Pod away, unless it is gone or another has its name.
async fn take_away(pods: &Api<Pod>, name: &str, uid: &str) {
    let same = Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    };
    let params = DeleteParams::default().grace_period(0).preconditions(same);
    let mut pause = FIRST_PAUSE;
    loop {
        match pods.delete(name, &params).await {
            Ok(_) => return,
            Err(kube::Error::Api(refusal)) if matches!(refusal.code, 404 | 409) => return,
            Err(error) => tracing::debug!(pod = name, %error, "a Pod that has ended was not taken away"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl<R: Runtime> Task<R> {
    fn new(
        shared: Arc<Shared<R>>,
        pod: Arc<Pod>,
        address: Ipv4Addr,
        tell: mpsc::Sender<Happened>,
        status: watch::Sender<Option<PodStatus>>,
    ) -> Self {
        let facts = PodFacts::of(&pod);
        let before = pod.status.clone().unwrap_or_default();
        let life = PodLife::recover(facts, &before, Timestamp::now());
        let containers = containers(&pod);
        let volumes = volumes::has_any(&pod).then(|| Volumes::keep(&shared, &pod, address, &tell));
        Self {
            shared,
            pod,
            gone: false,
            address,
            life,
            containers,
            busy: BTreeMap::new(),
            tell,
            status,
            before,
            volumes,
        }
    }

    /// Does what is to be done now. True when nothing is left to do, ever.
    fn step(&mut self, now: Timestamp) -> bool {
        let (actions, notes) = self.life.next(now);
        self.note(&notes);
        let mut finished = false;
        for action in actions {
            match action {
                Action::Start { index, attempt } => self.start(index, attempt),
                Action::Stop { index, how } => self.stop(index, how),
                Action::Probe { index, kind } => self.probe(index, kind),
                Action::Hook { index, kind, until } => self.hook(index, kind, until),
                Action::Finish => finished = true,
            }
        }
        self.publish();
        finished
    }

    fn take(&mut self, happened: Happened) {
        match &happened {
            Happened::Started { index, id } => {
                if let Some((_, place)) = self.busy.get_mut(index) {
                    *place = Some(ContainerId::new(id.clone()));
                }
            }
            Happened::NotCreated { index, .. }
            | Happened::NotStarted { index, .. }
            | Happened::Ended { index, .. } => {
                self.busy.remove(index);
            }
            Happened::Probed { .. }
            | Happened::Hooked { .. }
            | Happened::VolumesReady
            | Happened::VolumesFailed { .. }
            | Happened::Deleted { .. } => {}
        }
        let notes = self.life.take(happened, Timestamp::now());
        self.note(&notes);
    }

    fn see(&mut self, seen: Seen) {
        match seen {
            Seen::There(pod) => {
                if let Some(volumes) = &self.volumes {
                    volumes.pod.send_replace(pod.clone());
                }
                self.pod = pod;
                self.change();
                self.look();
            }
            Seen::Gone => {
                self.gone = true;
                let grace = self.life.facts.grace;
                self.take(Happened::Deleted { grace });
            }
        }
    }

    /// Takes in what may have changed in the Pod's description.
    fn change(&mut self) {
        let facts = PodFacts::of(&self.pod);
        if facts != self.life.facts {
            self.containers = containers(&self.pod);
            let names: Vec<&str> = self
                .containers
                .iter()
                .map(|container| container.name.as_str())
                .collect();
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let metadata = &self.pod.metadata;
            let (namespace, name) = (text(&metadata.namespace), text(&metadata.name));
            self.shared
                .logs
                .register(&namespace, &name, &text(&metadata.uid), &names);
            let notes = self.life.change(facts, Timestamp::now());
            self.note(&notes);
        }
    }

    /// Looks whether somebody has deleted the Pod.
    fn look(&mut self) {
        let metadata = &self.pod.metadata;
        if metadata.deletion_timestamp.is_some() {
            let stated = metadata
                .deletion_grace_period_seconds
                .and_then(|seconds| u64::try_from(seconds).ok());
            let grace = stated.map_or(self.life.facts.grace, Duration::from_secs);
            self.take(Happened::Deleted { grace });
        }
    }

    fn start(&mut self, index: usize, attempt: u32) {
        let Some(container) = self.containers.get(index).cloned() else {
            return;
        };
        self.busy.insert(index, (attempt, None));
        let what = Launch {
            pod: self.pod.clone(),
            index,
            container,
            attempt,
            address: self.address,
        };
        tokio::spawn(launch(self.shared.clone(), what, self.tell.clone()));
    }

    fn stop(&self, index: usize, how: Stop) {
        if let Some((_, Some(id))) = self.busy.get(&index) {
            self.shared.runtime.stop(id, how);
        }
    }

    fn probe(&self, index: usize, kind: ProbeKind) {
        let Some((attempt, Some(id))) = self.busy.get(&index).cloned() else {
            return;
        };
        let Some(container) = self.containers.get(index).cloned() else {
            return;
        };
        let (shared, address, tell) = (self.shared.clone(), self.address, self.tell.clone());
        tokio::spawn(async move {
            let Some(probe) = check::probe_of(&container, kind) else {
                return;
            };
            let outcome = check::check(&*shared.runtime, &id, &container, probe, address).await;
            let (success, output) = (outcome.success, outcome.output);
            // The Pod's task may have ended meanwhile.
            let _ = tell
                .send(Happened::Probed {
                    index,
                    kind,
                    attempt,
                    success,
                    output,
                })
                .await;
        });
    }

    fn hook(&self, index: usize, kind: HookKind, until: Option<Timestamp>) {
        let Some((attempt, Some(id))) = self.busy.get(&index).cloned() else {
            return;
        };
        let Some(container) = self.containers.get(index).cloned() else {
            return;
        };
        let (shared, address, tell) = (self.shared.clone(), self.address, self.tell.clone());
        tokio::spawn(async move {
            let limit = until
                .map(|until| Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default());
            let failure = hook::run(&*shared.runtime, &id, &container, kind, address, limit)
                .await
                .err();
            let hooked = Happened::Hooked {
                index,
                kind,
                attempt,
                failure,
            };
            // The Pod's task may have ended meanwhile.
            let _ = tell.send(hooked).await;
        });
    }

    fn note(&self, notes: &[Note]) {
        for note in notes {
            self.shared.recorder.record(&self.pod, note);
        }
    }

    /// Hands the present status to the writer, when it has changed.
    fn publish(&mut self) {
        let around = Surroundings {
            pod_ip: Some(self.address),
            host_ip: HOST_ADDRESS,
            runtime: self.shared.runtime_name.clone(),
            gates_open: gates_open(&self.pod),
            before: self.before.clone(),
        };
        let status = self.life.status(&around, Timestamp::now());
        if status == self.before {
            return;
        }
        self.shared.logs.waits(&self.pod, &status);
        self.before = status.clone();
        if !self.gone {
            self.status.send_replace(Some(status));
        }
    }

    /// Ends all containers because the node stops.
    async fn end_all(mut self, happenings: &mut mpsc::Receiver<Happened>) {
        for (how, limit) in [(Stop::Ask, SHUTDOWN_GRACE), (Stop::Force, SHUTDOWN_FORCED)] {
            self.busy
                .values()
                .filter_map(|(_, id)| id.as_ref())
                .for_each(|id| self.shared.runtime.stop(id, how));
            let deadline = Instant::now() + limit;
            while !self.busy.is_empty() {
                let Ok(Some(happened)) = timeout_at(deadline, happenings.recv()).await else {
                    break;
                };
                if let Happened::Started { id, .. } = &happened {
                    self.shared.runtime.stop(&ContainerId::new(id.clone()), how);
                }
                self.take(happened);
            }
        }
    }
}

impl Volumes {
    fn keep<R: Runtime>(
        shared: &Arc<Shared<R>>,
        pod: &Arc<Pod>,
        address: Ipv4Addr,
        tell: &mpsc::Sender<Happened>,
    ) -> Self {
        let with = Keep {
            client: shared.client.clone(),
            folders: shared.folders.clone(),
            objects: shared.objects.clone(),
            pod_ip: address,
            host_ip: HOST_ADDRESS,
            machine: shared.machine,
        };
        let (sender, receiver) = watch::channel(pod.clone());
        let keeper = keep(with, receiver, tell.clone());
        Self {
            pod: sender,
            _keeper: AbortOnDropHandle::new(tokio::spawn(keeper)),
        }
    }
}

/// Whether all conditions that the Pod's readiness waits for hold.
fn gates_open(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    let holds = |name: &str| {
        conditions
            .iter()
            .any(|condition| condition.type_ == name && condition.status == "True")
    };
    let gates = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.readiness_gates.as_deref())
        .unwrap_or_default();
    gates.iter().all(|gate| holds(&gate.condition_type))
}
