//! Pods that nobody looks after any more: bound to a node that is gone, or ended by the thousand.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::key::Key;
use crate::object::Object;
use crate::pod::Pod;
use crate::pods::{is_finished, node};
use crate::queue::Queue;
use crate::world::World;

/// Ended Pods that are kept for their logs and their end; kube-controller-manager's default.
const MOST_FINISHED: usize = 12_500;
/// How long a node may be away before its Pods are given up: it may be registering anew.
const NODE_GRACE: Duration = Duration::from_secs(40);

/// The controller.
pub(crate) struct PodCollector {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

impl PodCollector {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let (add, nodes) = (Arc::clone(&queue), world.nodes.clone());
        world.pods.on_change(move |change| {
            let Some(pod) = change.new else { return };
            let lost = node(pod).is_some_and(|name| nodes.get("", name).is_none());
            let stuck = pod.is_dying() && node(pod).is_none();
            let ended = is_finished(pod) && !change.old.is_some_and(|old| is_finished(old));
            if lost {
                add.add_after(Key::of(&**pod), NODE_GRACE);
            } else if stuck || ended {
                add.add(Key::of(&**pod));
            }
        });
        let (add, pods) = (Arc::clone(&queue), world.pods.clone());
        world.nodes.on_change(move |change| {
            let (Some(old), None) = (change.old, change.new) else {
                return;
            };
            let here = |pod: &&Arc<Pod>| node(pod).is_some() && node(pod) == old.metadata.name.as_deref();
            pods.all()
                .iter()
                .filter(here)
                .for_each(|pod| add.add_after(Key::of(&**pod), NODE_GRACE));
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }

    async fn is_lost(&self, pod: &Pod) -> Result<bool, Failure> {
        let Some(name) = node(pod) else { return Ok(false) };
        if self.world.nodes.get("", name).is_some() {
            return Ok(false);
        }
        let there = self
            .world
            .nodes
            .everywhere()
            .get_opt(name)
            .await
            .step("look up a node")?;
        Ok(there.is_none())
    }

    /// Nobody else will say how the Pod ended.
    async fn give_up(&self, pod: &Pod) -> Result<(), Failure> {
        if !is_finished(pod) {
            let message = "the node of the pod is gone";
            let status = json!({"phase": "Failed", "reason": "NodeLost", "message": message});
            let marked = self.world.pods.merge_status(pod, &status).await;
            gone_is_fine(marked).step("mark a lost pod as failed")?;
        }
        self.world.pods.delete_now(pod).await.step("delete a lost pod")
    }

    async fn clear_away(&self) -> Result<(), Failure> {
        let mut ended = self.world.pods.all();
        ended.retain(|pod| is_finished(pod) && !pod.is_dying());
        let surplus = ended.len().saturating_sub(MOST_FINISHED);
        if surplus == 0 {
            return Ok(());
        }
        ended.sort_by_key(|pod| pod.created);
        for pod in &ended[..surplus] {
            self.world
                .pods
                .delete_now(pod)
                .await
                .step("delete an ended pod")?;
        }
        Ok(())
    }
}

impl Controller for PodCollector {
    type Key = Key;

    const NAME: &'static str = "pod-collector";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(pod) = self.world.pods.by_key(key) else {
            return Ok(None);
        };
        if self.is_lost(&pod).await? {
            self.give_up(&pod).await?;
        } else if pod.is_dying() && node(&pod).is_none() {
            self.world
                .pods
                .delete_now(&pod)
                .await
                .step("delete a pod that was never bound")?;
        } else if is_finished(&pod) {
            self.clear_away().await?;
        }
        Ok(None)
    }
}
