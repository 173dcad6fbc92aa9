//! Pods that wait to be counted by a Job that will not: it is gone, or at its end, or has let go of them. Their finalizer
//! is taken off, so that they can be deleted.

use std::sync::Arc;

use super::facts::{end_of, is_tracked};
use super::tracking::release;
use crate::controller::{Again, Controller, Failure};
use crate::key::Key;
use crate::object::Object;
use crate::pod::Pod;
use crate::queue::Queue;
use crate::world::World;

/// The controller; its keys are Pods.
pub(crate) struct OrphanedPods {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

impl OrphanedPods {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.pods.on_change(move |change| {
            if let Some(pod) = change.new.filter(|pod| is_tracked(pod)) {
                add.add(Key::of(&**pod));
            }
        });
        let (add, pods) = (Arc::clone(&queue), world.pods.clone());
        world.jobs.on_change(move |change| {
            let Some(job) = change.sides().last() else { return };
            if change.new.is_some_and(|job| end_of(job).is_none()) {
                return;
            }
            pods.claimable(job.namespace(), job.uid())
                .iter()
                .filter(|pod| is_tracked(pod))
                .for_each(|pod| add.add(Key::of(&**pod)));
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }

    /// Whether a Job will still count the Pod.
    fn is_awaited(&self, pod: &Pod) -> bool {
        let Some(owner) = pod.controller() else {
            return false;
        };
        if owner.kind != "Job" {
            // Somebody else's business.
            return true;
        }
        let job = self.world.jobs.get(pod.namespace(), &owner.name);
        job.is_some_and(|job| &*owner.uid == job.uid() && end_of(&job).is_none())
    }
}

impl Controller for OrphanedPods {
    type Key = Key;

    const NAME: &'static str = "job-orphans";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        if let Some(pod) = self.world.pods.by_key(key)
            && is_tracked(&pod)
            && !self.is_awaited(&pod)
        {
            release(&self.world.pods, &pod).await?;
        }
        Ok(None)
    }
}
