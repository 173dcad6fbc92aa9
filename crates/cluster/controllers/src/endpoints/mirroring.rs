//! The controller that mirrors Endpoints written by hand: runs for an Endpoints object whenever it, its Service or a slice
//! that mirrors it changes.

use std::sync::Arc;

use super::controller::write_slices;
use super::mirror::{MANAGER, is_mirror_of, is_mirrored, mirrored};
use super::slices::{MANAGED_BY, SERVICE_NAME, plan};
use crate::controller::{Again, Controller, Failure};
use crate::key::Key;
use crate::queue::Queue;
use crate::world::World;

/// The controller; its keys are Endpoints.
pub(crate) struct MirroredEndpoints {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

impl MirroredEndpoints {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.endpoints.on_change(move |change| {
            change
                .sides()
                .for_each(|endpoints| add.add(Key::of(&**endpoints)));
        });
        let add = Arc::clone(&queue);
        world
            .services
            .on_change(move |change| change.sides().for_each(|service| add.add(Key::of(&**service))));
        let add = Arc::clone(&queue);
        world.slices.on_change(move |change| {
            for slice in change.sides() {
                let label = |key: &str| slice.metadata.labels.as_ref().and_then(|labels| labels.get(key));
                if let Some(name) =
                    label(SERVICE_NAME).filter(|_| label(MANAGED_BY).is_some_and(|by| by == MANAGER))
                {
                    let namespace = slice.metadata.namespace.clone().unwrap_or_default();
                    add.add(Key::new(namespace, name.clone()));
                }
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }
}

impl Controller for MirroredEndpoints {
    type Key = Key;

    const NAME: &'static str = "endpoints-mirroring";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let mut present = self.world.slices.namespace(&key.namespace);
        present.retain(|slice| is_mirror_of(slice, &key.name));
        let (endpoints, service) = (self.world.endpoints.by_key(key), self.world.services.by_key(key));
        let desired = match (&endpoints, &service) {
            (Some(endpoints), Some(service)) if is_mirrored(endpoints, service) => mirrored(endpoints),
            _ => Vec::new(),
        };
        if !desired.is_empty() && self.world.is_ending(&key.namespace) {
            return Ok(None);
        }
        // The family of a slice never changes.
        for family in ["IPv4", "IPv6"] {
            let of_family: Vec<_> = present
                .iter()
                .filter(|slice| slice.address_type == family)
                .cloned()
                .collect();
            let wanted = desired.iter().filter(|slice| slice.address_type == family);
            let difference = plan(wanted.cloned().collect(), &of_family);
            write_slices(&self.world.slices, &difference).await?;
        }
        Ok(None)
    }
}
