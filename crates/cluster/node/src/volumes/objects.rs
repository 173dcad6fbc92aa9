//! Follows `ConfigMap`s and `Secret`s: one watch per object, however many volumes show it, for as long as one does.

use std::{
    collections::HashMap,
    fmt::{self, Debug},
    sync::{Arc, Weak},
};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Api, Client, Resource};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// An object as last seen: nothing until the API has told, then the object or that there is none.
pub(super) type Latest<K> = watch::Receiver<Option<Option<Arc<K>>>>;

/// One object that somebody follows.
pub(super) struct Followed<K> {
    latest: Latest<K>,
    _task: AbortOnDropHandle<()>,
}

impl<K> Followed<K> {
    /// The object, now and later.
    pub(super) fn latest(&self) -> Latest<K> {
        self.latest.clone()
    }
}

/// Never the objects: some are secret.
impl<K> Debug for Followed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Followed")
    }
}

type Table<K> = Mutex<HashMap<(String, String), Weak<Followed<K>>>>;

/// All objects that somebody follows.
pub(crate) struct Objects {
    client: Client,
    config_maps: Table<ConfigMap>,
    secrets: Table<Secret>,
}

impl Objects {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            config_maps: Mutex::default(),
            secrets: Mutex::default(),
        }
    }

    pub(super) fn config_map(&self, namespace: &str, name: &str) -> Arc<Followed<ConfigMap>> {
        follow(&self.client, &self.config_maps, namespace, name)
    }

    pub(super) fn secret(&self, namespace: &str, name: &str) -> Arc<Followed<Secret>> {
        follow(&self.client, &self.secrets, namespace, name)
    }
}

impl Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

fn follow<K>(client: &Client, table: &Table<K>, namespace: &str, name: &str) -> Arc<Followed<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    let mut table = table.lock();
    let key = (namespace.to_owned(), name.to_owned());
    if let Some(known) = table.get(&key).and_then(Weak::upgrade) {
        return known;
    }
    table.retain(|_, followed| followed.strong_count() > 0);
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let (tell, latest) = watch::channel(None);
    let seen = toolforge_watch::watch_object(api, name);
    let task = tokio::spawn(async move {
        let mut seen = std::pin::pin!(seen.inspect_err(
            |error| tracing::debug!(%error, "the watch for an object of a volume is interrupted")
        ));
        while let Some(seen) = seen.next().await {
            if let Ok(object) = seen {
                tell.send_replace(Some(object.map(Arc::new)));
            }
        }
    });
    let followed = Arc::new(Followed {
        latest,
        _task: AbortOnDropHandle::new(task),
    });
    table.insert(key, Arc::downgrade(&followed));
    followed
}
