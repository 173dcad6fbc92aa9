//! The scene of a webservice, kept up to date by watches.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream::BoxStream};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, ReplicaSet},
        core::v1::{Event as Told, Pod},
    },
};
use kube::{
    Resource,
    runtime::watcher::{self, Event},
};
use serde::de::DeserializeOwned;

use crate::{scene::Scene, session::Session};

/// What the cluster says of one webservice, now.
pub(super) struct World {
    deployments: Kept<Deployment>,
    replica_sets: Kept<ReplicaSet>,
    pods: Kept<Pod>,
    events: Kept<Told>,
}

impl World {
    /// Begins to look.
    pub(super) fn of(session: &Session) -> Self {
        let all = watcher::Config::default();
        let own = all.clone().fields(&format!("metadata.name={}", session.tool));
        Self {
            deployments: Kept::watch(session, own),
            replica_sets: Kept::watch(session, all.clone()),
            pods: Kept::watch(session, all.clone()),
            events: Kept::watch(session, all),
        }
    }

    /// Waits until something is different, also for the worse.
    pub(super) async fn change(&mut self) {
        tokio::select! {
            () = self.deployments.change() => {}
            () = self.replica_sets.change() => {}
            () = self.pods.change() => {}
            () = self.events.change() => {}
        }
    }

    /// All of it, once all of it is known. Events only explain; nobody waits for them, nor must they be allowed.
    pub(super) fn scene(&self) -> Option<Scene> {
        let complete = self.deployments.complete && self.replica_sets.complete && self.pods.complete;
        complete.then(|| Scene {
            deployment: self.deployments.objects.first().cloned(),
            replica_sets: self.replica_sets.objects.clone(),
            pods: self.pods.objects.clone(),
            events: self.events.objects.clone(),
        })
    }

    /// How long ago a Pod went.
    pub(super) fn gone(&self) -> Option<Duration> {
        Some(self.pods.gone?.elapsed())
    }

    /// What is wrong with the API, when it has been for this long.
    pub(super) fn trouble(&self, patience: Duration) -> Option<String> {
        [
            &self.deployments.trouble,
            &self.replica_sets.trouble,
            &self.pods.trouble,
        ]
        .into_iter()
        .flatten()
        .find(|(since, _)| since.elapsed() >= patience)
        .map(|(_, what)| what.clone())
    }
}

/// The objects of one watch as they are now.
struct Kept<K> {
    stream: BoxStream<'static, watcher::Result<Event<K>>>,
    objects: Vec<K>,
    complete: bool,
    /// Since when it does not work, and why.
    trouble: Option<(Instant, String)>,
    /// When one of them went last.
    gone: Option<Instant>,
}

impl<K> Kept<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    fn watch(session: &Session, config: watcher::Config) -> Self {
        Self {
            stream: toolforge_watch::watch(session.api::<K>(), config),
            objects: Vec::new(),
            complete: false,
            trouble: None,
            gone: None,
        }
    }

    /// Takes in the next event. Errors are retried by the watcher, with pauses.
    async fn change(&mut self) {
        match self.stream.next().await {
            Some(Ok(event)) => {
                self.trouble = None;
                self.take(event);
            }
            Some(Err(error)) => {
                let what = toolforge_model::Chain(&error).to_string();
                let since = self
                    .trouble
                    .as_ref()
                    .map_or_else(Instant::now, |(since, _)| *since);
                self.trouble = Some((since, what));
            }
            None => std::future::pending().await,
        }
    }

    fn take(&mut self, event: Event<K>) {
        match event {
            Event::Init => {
                self.objects.clear();
                self.complete = false;
            }
            Event::InitDone => self.complete = true,
            Event::InitApply(object) | Event::Apply(object) => {
                self.objects.retain(|known| known.meta().uid != object.meta().uid);
                self.objects.push(object);
            }
            Event::Delete(object) => {
                self.gone = Some(Instant::now());
                self.objects.retain(|known| known.meta().uid != object.meta().uid);
            }
        }
    }
}
