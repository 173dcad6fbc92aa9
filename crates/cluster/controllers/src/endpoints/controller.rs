//! The controller of Endpoints and `EndpointSlices`: runs for a Service whenever it, a Pod behind it or a slice of it
//! changes. Services without selector are somebody else's and stay untouched.

use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::legacy::{self, desired_endpoints};
use super::ports::{Backends, backends, is_ours, selects};
use super::slices::{Difference, SERVICE_NAME, desired_slices, is_slice_of, plan};
use crate::controller::{Again, Controller, Failure, Step};
use crate::kept::Kept;
use crate::key::Key;
use crate::object::Object;
use crate::owner::is_dying;
use crate::queue::Queue;
use crate::world::World;

/// The controller.
pub(crate) struct ServiceEndpoints {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

impl ServiceEndpoints {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world
            .services
            .on_change(move |change| change.sides().for_each(|service| add.add(Key::of(&**service))));
        let add = Arc::clone(&queue);
        world.endpoints.on_change(move |change| {
            change
                .sides()
                .for_each(|endpoints| add.add(Key::of(&**endpoints)));
        });
        let add = Arc::clone(&queue);
        world.slices.on_change(move |change| {
            for slice in change.sides() {
                let name = slice
                    .metadata
                    .labels
                    .as_ref()
                    .and_then(|labels| labels.get(SERVICE_NAME));
                if let Some(name) = name {
                    add.add(Key::new(
                        slice.metadata.namespace.clone().unwrap_or_default(),
                        name.clone(),
                    ));
                }
            }
        });
        let (add, services) = (Arc::clone(&queue), world.services.clone());
        world.pods.on_change(move |change| {
            let Some(namespace) = change.sides().next().map(|pod| pod.namespace()) else {
                return;
            };
            for service in services.namespace(namespace) {
                if change.sides().any(|pod| selects(&service, pod)) {
                    add.add(Key::of(&*service));
                }
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }

    async fn sync_slices(
        &self,
        service: &Service,
        backends: &Backends<'_>,
        key: &Key,
    ) -> Result<(), Failure> {
        let mut present = self.world.slices.namespace(&key.namespace);
        present.retain(|slice| is_slice_of(slice, &key.name));
        let difference = plan(desired_slices(service, backends), &present);
        write_slices(&self.world.slices, &difference).await
    }

    async fn sync_endpoints(
        &self,
        service: &Service,
        backends: &Backends<'_>,
        key: &Key,
    ) -> Result<(), Failure> {
        let present = self.world.endpoints.by_key(key);
        match desired_endpoints(service, backends, present.as_ref()) {
            None => Ok(()),
            Some(endpoints) if present.is_some() => self
                .world
                .endpoints
                .replace(&endpoints)
                .await
                .step("write endpoints")
                .map(drop),
            Some(endpoints) => self
                .world
                .endpoints
                .create(&endpoints)
                .await
                .step("create endpoints")
                .map(drop),
        }
    }

    async fn remove_all(&self, key: &Key) -> Result<(), Failure> {
        if let Some(endpoints) = self
            .world
            .endpoints
            .by_key(key)
            .filter(|endpoints| legacy::is_ours(endpoints))
        {
            self.world
                .endpoints
                .delete(&endpoints)
                .await
                .step("delete endpoints")?;
        }
        let mut slices = self.world.slices.namespace(&key.namespace);
        slices.retain(|slice| is_slice_of(slice, &key.name) && !is_dying(&slice.metadata));
        let deletions = join_all(slices.iter().map(|slice| self.world.slices.delete(slice))).await;
        deletions
            .into_iter()
            .collect::<Result<(), kube::Error>>()
            .step("delete endpoint slices")
    }
}

impl Controller for ServiceEndpoints {
    type Key = Key;

    const NAME: &'static str = "endpoints";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(service) = self
            .world
            .services
            .by_key(key)
            .filter(|service| !is_dying(&service.metadata))
        else {
            return self.remove_all(key).await.map(|()| None);
        };
        if !is_ours(&service) || self.world.is_ending(&key.namespace) {
            return Ok(None);
        }
        let pods = self.world.pods.namespace(&key.namespace);
        let backends = backends(&service, &pods);
        self.sync_slices(&service, &backends, key).await?;
        self.sync_endpoints(&service, &backends, key).await?;
        Ok(None)
    }
}

/// Carries out a difference of slices.
pub(crate) async fn write_slices(
    slices: &Kept<EndpointSlice>,
    difference: &Difference,
) -> Result<(), Failure> {
    for slice in &difference.replace {
        slices.replace(slice).await.step("write an endpoint slice")?;
    }
    for slice in &difference.create {
        slices.create(slice).await.step("create an endpoint slice")?;
    }
    for slice in &difference.delete {
        slices.delete(slice).await.step("delete an endpoint slice")?;
    }
    Ok(())
}
