//! The scheduler: binds each new Pod to a node, or says in its condition `PodScheduled` why it cannot, and tries again when
//! a node changes or a Pod ends.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, Node, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, PostParams};
use kube::core::Status;
use parking_lot::Mutex;
use serde_json::json;

use super::figures::Scheduling;
use super::fit::{Place, choose};
use super::ledger::Ledger;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::events::{Kind, Recorder};
use crate::kept::Kept;
use crate::key::Key;
use crate::object::Object;
use crate::pod::Pod;
use crate::pods::{SCHEDULED, condition, is_active, is_finished, node};
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
    waiting: Waiting,
    figures: Scheduling,
}

impl Scheduler {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder, figures: Scheduling) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let waiting = Waiting::of(world, &queue, &figures);
        let (add, retry, taken) = (Arc::clone(&queue), waiting.clone(), Arc::clone(&ledger));
        let again = waiting.clone();
        world.pods.on_change(move |change| {
            let mut taken = taken.lock();
            if let Some(old) = change
                .old
                .filter(|old| change.new.is_none_or(|new| new.uid != old.uid))
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
            figures,
        })
    }

    /// Chooses a node and reserves the room on it.
    fn decide(&self, pod: &Pod, key: &Key) -> Result<String, String> {
        let mut ledger = self.ledger.lock();
        // Before looking: a change that comes while looking has to bring the Pod back.
        self.waiting.insert(key);
        let nodes = self.world.nodes.all().into_iter();
        let places: Vec<Place> = nodes
            .map(|node| Place {
                used: ledger.usage(node.metadata.name.as_deref().unwrap_or_default()),
                node,
            })
            .collect();
        let node = choose(pod, &places)?.metadata.name.clone().unwrap_or_default();
        self.waiting.remove(key);
        ledger.assume(pod, &node);
        Ok(node)
    }

    async fn bind(&self, pod: &Pod, key: &Key, node: &str) -> Result<(), Failure> {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(key.name.clone()),
                namespace: Some(key.namespace.clone()),
                uid: Some(pod.uid().to_owned()),
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
        let known = condition(pod, SCHEDULED);
        if known.is_some_and(|known| known.status == "False")
            && pod.scheduled_message.as_deref() == Some(&message)
        {
            return Ok(());
        }
        self.recorder
            .record(COMPONENT, pod, Kind::Warning, "FailedScheduling", message.clone());
        let since = known
            .filter(|known| known.status == "False")
            .and_then(|known| known.since);
        let condition = json!({
            "type": SCHEDULED, "status": "False", "reason": "Unschedulable", "message": message,
            "lastTransitionTime": Time(since.unwrap_or_else(Timestamp::now)),
        });
        let status = json!({"conditions": [condition]});
        gone_is_fine(self.world.pods.merge_status(pod, &status).await)
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
            self.waiting.remove(key);
            return Ok(None);
        };
        if self.ledger.lock().is_assumed(&pod) {
            // Bound, and the watch has not said so yet.
            return Ok(None);
        }
        match self.decide(&pod, key) {
            Ok(node) => {
                let bound = self.bind(&pod, key, &node).await;
                self.figures
                    .tried(if bound.is_ok() { "scheduled" } else { "error" });
                bound?;
            }
            Err(message) => {
                self.figures.tried("unschedulable");
                self.explain(&pod, message).await?;
            }
        }
        Ok(None)
    }
}

/// The Pods that fit nowhere, and what brings them back.
#[derive(Clone)]
struct Waiting {
    pods: Kept<Pod>,
    queue: Arc<Queue<Key>>,
    keys: Arc<Mutex<HashSet<Key>>>,
    figures: Scheduling,
}

impl Waiting {
    fn of(world: &World, queue: &Arc<Queue<Key>>, figures: &Scheduling) -> Self {
        Self {
            pods: world.pods.clone(),
            queue: Arc::clone(queue),
            keys: Arc::default(),
            figures: figures.clone(),
        }
    }

    fn insert(&self, key: &Key) {
        let mut keys = self.keys.lock();
        keys.insert(key.clone());
        self.figures.waiting(keys.len());
    }

    fn remove(&self, key: &Key) {
        let mut keys = self.keys.lock();
        keys.remove(key);
        self.figures.waiting(keys.len());
    }

    /// All of them, the most important first, then the oldest.
    fn all(&self) {
        let mut keys: Vec<Key> = {
            let mut waiting = self.keys.lock();
            self.figures.waiting(0);
            waiting.drain().collect()
        };
        keys.sort_by_cached_key(|key| {
            let pod = self.pods.by_key(key);
            let placement = pod.as_ref().and_then(|pod| pod.placement.as_ref());
            let priority = placement.map_or(0, |placement| placement.priority);
            let created = pod.and_then(|pod| pod.created);
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
    let Some(placement) = &pod.placement else {
        return false;
    };
    is_active(pod)
        && !placement.is_gated
        && (placement.scheduler.is_empty() || placement.scheduler == *COMPONENT)
}
