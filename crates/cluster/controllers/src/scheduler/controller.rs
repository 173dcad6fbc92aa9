//! The scheduler: binds each new Pod to a node, or says in its condition `PodScheduled` why it cannot, and tries again when
//! a node changes or a Pod ends.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, Node, ObjectReference, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, PostParams};
use kube::core::Status;
use parking_lot::Mutex;

use super::fit::{Place, choose};
use super::ledger::Ledger;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::events::{Kind, Recorder};
use crate::kept::Kept;
use crate::key::Key;
use crate::pods::{condition, is_active, is_finished, node};
use crate::queue::Queue;
use crate::world::World;

const COMPONENT: &str = "default-scheduler";

/// The controller.
pub(crate) struct Scheduler {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
    /// What is taken up; decisions are made under this lock, so that two Pods never get the same room.
    ledger: Arc<Mutex<Ledger>>,
    /// Pods that fit nowhere.
    waiting: Arc<Mutex<HashSet<Key>>>,
}

impl Scheduler {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let waiting: Arc<Mutex<HashSet<Key>>> = Arc::new(Mutex::new(HashSet::new()));
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let again = Waiting::of(world, &queue, &waiting);
        let (add, retry, taken) = (Arc::clone(&queue), again.clone(), Arc::clone(&ledger));
        world.pods.on_change(move |change| {
            let mut taken = taken.lock();
            if let Some(old) = change
                .old
                .filter(|old| change.new.is_none_or(|new| new.metadata.uid != old.metadata.uid))
            {
                taken.forget(old);
            }
            change.new.iter().for_each(|pod| taken.observe(pod));
            drop(taken);
            if let Some(pod) = change.new.filter(|pod| is_ours(pod)) {
                add.add(Key::of(&**pod));
            }
            let occupied = |pod: &&Arc<Pod>| node(pod).is_some() && !is_finished(pod);
            if change.old.is_some_and(|pod| occupied(&pod)) && !change.new.is_some_and(|pod| occupied(&pod)) {
                retry.all();
            }
        });
        world.nodes.on_change(move |change| {
            if change.old.map(|node| room(node)) != change.new.map(|node| room(node)) {
                again.all();
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue,
            ledger,
            waiting,
        })
    }

    /// Chooses a node and reserves the room on it.
    fn decide(&self, pod: &Pod, key: &Key) -> Result<String, String> {
        let mut ledger = self.ledger.lock();
        // Before looking: a change that comes while looking has to bring the Pod back.
        self.waiting.lock().insert(key.clone());
        let nodes = self.world.nodes.all().into_iter();
        let places: Vec<Place> = nodes
            .map(|node| Place {
                used: ledger.usage(node.metadata.name.as_deref().unwrap_or_default()),
                node,
            })
            .collect();
        let node = choose(pod, &places)?.metadata.name.clone().unwrap_or_default();
        self.waiting.lock().remove(key);
        ledger.assume(pod, &node);
        Ok(node)
    }

    async fn bind(&self, pod: &Pod, key: &Key, node: &str) -> Result<(), Failure> {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(key.name.clone()),
                namespace: Some(key.namespace.clone()),
                uid: pod.metadata.uid.clone(),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..ObjectReference::default()
            },
        };
        let api = self.world.pods.api(&key.namespace);
        let bound: Result<Status, kube::Error> = api
            .create_subresource("binding", &key.name, &PostParams::default(), &binding)
            .await;
        if bound.is_err() {
            self.ledger.lock().forget(pod);
        }
        if gone_is_fine(bound).step("bind a pod")?.is_some() {
            let message = format!("Successfully assigned {key} to {node}");
            self.recorder
                .record(COMPONENT, pod, Kind::Normal, "Scheduled", message);
        }
        Ok(())
    }

    async fn explain(&self, pod: &Pod, message: String) -> Result<(), Failure> {
        let known = condition(pod, "PodScheduled");
        if known.is_some_and(|known| known.status == "False" && known.message.as_deref() == Some(&message)) {
            return Ok(());
        }
        self.recorder
            .record(COMPONENT, pod, Kind::Warning, "FailedScheduling", message.clone());
        let mut changed = pod.clone();
        let conditions = changed
            .status
            .get_or_insert_default()
            .conditions
            .get_or_insert_default();
        let since = known
            .filter(|known| known.status == "False")
            .and_then(|known| known.last_transition_time.clone());
        conditions.retain(|condition| condition.type_ != "PodScheduled");
        conditions.push(PodCondition {
            type_: "PodScheduled".to_owned(),
            status: "False".to_owned(),
            reason: Some("Unschedulable".to_owned()),
            message: Some(message),
            last_transition_time: Some(since.unwrap_or_else(|| Time(Timestamp::now()))),
            ..PodCondition::default()
        });
        gone_is_fine(self.world.pods.replace_status(&changed).await)
            .step("say why a pod cannot be scheduled")
            .map(drop)
    }
}

impl Controller for Scheduler {
    type Key = Key;

    const NAME: &'static str = "scheduler";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(pod) = self.world.pods.by_key(key).filter(|pod| is_ours(pod)) else {
            self.waiting.lock().remove(key);
            return Ok(None);
        };
        if self.ledger.lock().is_assumed(&pod) {
            // Bound, and the watch has not said so yet.
            return Ok(None);
        }
        match self.decide(&pod, key) {
            Ok(node) => self.bind(&pod, key, &node).await?,
            Err(message) => self.explain(&pod, message).await?,
        }
        Ok(None)
    }
}

/// Brings back the Pods that fit nowhere.
#[derive(Clone)]
struct Waiting {
    pods: Kept<Pod>,
    queue: Arc<Queue<Key>>,
    keys: Arc<Mutex<HashSet<Key>>>,
}

impl Waiting {
    fn of(world: &World, queue: &Arc<Queue<Key>>, waiting: &Arc<Mutex<HashSet<Key>>>) -> Self {
        Self {
            pods: world.pods.clone(),
            queue: Arc::clone(queue),
            keys: Arc::clone(waiting),
        }
    }

    /// All of them, the most important first, then the oldest.
    fn all(&self) {
        let mut keys: Vec<Key> = self.keys.lock().drain().collect();
        keys.sort_by_cached_key(|key| {
            let pod = self.pods.by_key(key);
            let priority = pod
                .as_ref()
                .and_then(|pod| pod.spec.as_ref()?.priority)
                .unwrap_or(0);
            let created = pod.and_then(|pod| pod.metadata.creation_timestamp.clone());
            (Reverse(priority), created, key.name.clone())
        });
        for key in keys {
            self.queue.add(key);
        }
    }
}

/// What of a node decides who fits there; its heartbeat is not among it.
fn room(node: &Node) -> impl PartialEq + use<> {
    let status = node.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let conditions: Vec<(String, String)> = conditions
        .into_iter()
        .map(|condition| (condition.type_, condition.status))
        .collect();
    (
        node.metadata.labels.clone(),
        node.spec.clone(),
        status.allocatable,
        status.capacity,
        conditions,
    )
}

/// Whether the Pod waits for this scheduler.
fn is_ours(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let scheduler = spec.scheduler_name.as_deref().unwrap_or_default();
    is_active(pod)
        && node(pod).is_none()
        && (scheduler.is_empty() || scheduler == COMPONENT)
        && spec.scheduling_gates.as_deref().unwrap_or_default().is_empty()
}
