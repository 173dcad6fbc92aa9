//! Keeps the world: a watch for every kind that the pages show. While the API is gone, what was last known stays.

use std::fmt::Debug;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use futures::StreamExt as _;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
    core::v1::{Event, Namespace, Node, Pod, ResourceQuota, Service},
    networking::v1::Ingress,
};
use kube::runtime::watcher::{self, Event as Change};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::board::world::{Place, Shelf, World};

/// How many kinds are followed.
pub(crate) const KINDS: usize = 13;

/// The world, shared between those who keep it and those who read it.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    world: Arc<RwLock<World>>,
    revision: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            world: Arc::default(),
            revision: watch::Sender::new(0),
        }
    }

    /// Reads the world. Nobody who holds it waits for anything.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, World> {
        // A page that broke while it read has changed nothing.
        self.world
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Changes the world, and tells those who wait for it.
    pub(crate) fn change(&self, place: Place<'_>, change: impl FnOnce(&mut World)) {
        let mut world = self
            .world
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut world);
        let revision = world.changed(place);
        drop(world);
        self.revision.send_replace(revision);
    }

    /// Waits until there is a world to show: every kind has been read once, and the cluster has said what it is. At most until
    /// a moment.
    pub(crate) async fn filled(&self, until: Instant) {
        let mut changes = self.changes();
        let filled = async {
            loop {
                changes.borrow_and_update();
                if self.read().is_filled() || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Who asks later is shown what there is.
        let _ = tokio::time::timeout_at(until, filled).await;
    }

    /// Hears of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}

/// Follows everything, until it is dropped.
pub(crate) async fn follow(client: Client, shared: Shared) {
    let mut watches = JoinSet::new();
    macro_rules! follow {
        ($($kind:ty => $shelf:ident),+ $(,)?) => {
            $(watches.spawn(follow_kind(
                Api::<$kind>::all(client.clone()),
                shared.clone(),
                stringify!($shelf),
                |world| &mut world.$shelf,
            ));)+
        };
    }
    follow! {
        Namespace => namespaces,
        Node => nodes,
        Pod => pods,
        Service => services,
        Ingress => ingresses,
        ResourceQuota => quotas,
        Event => events,
        Deployment => deployments,
        ReplicaSet => replica_sets,
        StatefulSet => stateful_sets,
        DaemonSet => daemon_sets,
        Job => jobs,
        CronJob => cron_jobs,
    }
    while watches.join_next().await.is_some() {}
}

/// Follows one kind. A list that comes anew takes the place of the old one when it is whole.
async fn follow_kind<K, T>(
    api: Api<K>,
    shared: Shared,
    shelf_name: &'static str,
    shelf: impl Fn(&mut World) -> &mut Shelf<T>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default + Clone,
    T: From<K>,
{
    let mut changes = toolforge_watch::watch(api, watcher::Config::default());
    let mut incoming = Shelf::new();
    while let Some(change) = changes.next().await {
        match change {
            Ok(Change::Init) => incoming.clear(),
            Ok(Change::InitApply(object)) => put(&mut incoming, object),
            Ok(Change::InitDone) => {
                let whole = std::mem::take(&mut incoming);
                shared.change(Place::Kind, |world| {
                    *shelf(world) = whole;
                    if !world.read.contains(&shelf_name) {
                        world.read.push(shelf_name);
                    }
                });
            }
            Ok(Change::Apply(object)) => {
                let namespace = object.namespace().unwrap_or_default();
                shared.change(Place::Namespace(&namespace), |world| put(shelf(world), object));
            }
            Ok(Change::Delete(object)) => {
                let namespace = object.namespace().unwrap_or_default();
                shared.change(Place::Namespace(&namespace), |world| {
                    take(shelf(world), &namespace, &object.name_any());
                });
            }
            Err(error) => {
                tracing::warn!(kind = shelf_name, error = %error, "cannot be watched; trying again");
            }
        }
    }
}

fn put<K: Resource, T: From<K>>(shelf: &mut Shelf<T>, object: K) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    shelf.entry(namespace).or_default().insert(name, T::from(object));
}

fn take<T>(shelf: &mut Shelf<T>, namespace: &str, name: &str) {
    let Some(objects) = shelf.get_mut(namespace) else {
        return;
    };
    objects.remove(name);
    if objects.is_empty() {
        shelf.remove(namespace);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_comes_early_waits_for_all_kinds_and_not_for_ever() {
        let shared = Shared::new();
        shared.filled(Instant::now()).await;
        let late = Instant::now() + Duration::from_mins(1);
        let mut waiting = Box::pin(shared.filled(late));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        for _ in 0..KINDS {
            shared.change(Place::Kind, |world| world.read.push("a kind"));
        }
        assert_eq!(waiting.as_mut().now_or_never(), None);
        shared.change(Place::Figures, |world| world.version = Some("v1".to_owned()));
        waiting.await;
        assert!(Instant::now() < late);
    }
}
