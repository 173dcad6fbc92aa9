//! One list and one watch per kind, feeding a [`Cache`] until shutdown. Started by `world.rs`.
//!
//! Not `kube::runtime::watcher`: that one hides the resource version of the list and of bookmarks, and the cache's
//! promise (one sees one's own writes) stands on exactly that.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::cache::{Cache, parse_version};

/// First pause after a failed request.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between attempts to reach the API.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Keeps `cache` equal to what `api` has, until `shutdown`.
pub(crate) async fn follow<K>(api: Api<K>, cache: Arc<Cache<K>>, shutdown: CancellationToken)
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    shutdown.run_until_cancelled(follow_forever(&api, &cache)).await;
}

async fn follow_forever<K>(api: &Api<K>, cache: &Cache<K>)
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let mut version = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let step = match version.take() {
            None => list(api, cache).await.map(Some),
            Some(from) => watch(api, cache, from).await,
        };
        match step {
            Ok(next) => {
                version = next;
                pause = FIRST_PAUSE;
            }
            Err(source) => {
                let kind = api.resource_url();
                if pause > Duration::from_secs(1) {
                    warn!(
                        kind,
                        error = &source as &dyn std::error::Error,
                        "cannot list or watch, trying again"
                    );
                } else {
                    debug!(
                        kind,
                        error = &source as &dyn std::error::Error,
                        "cannot list or watch, trying again"
                    );
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn list<K>(api: &Api<K>, cache: &Cache<K>) -> Result<String, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let list = api.list(&ListParams::default()).await?;
    let version = list.metadata.resource_version.unwrap_or_default();
    cache.replace(list.items, parse_version(Some(&version)));
    Ok(version)
}

/// Watches from `version`; returns the version to resume from, or `None` when a new list is needed.
async fn watch<K>(api: &Api<K>, cache: &Cache<K>, version: String) -> Result<Option<String>, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let stream = api.watch(&WatchParams::default(), &version).await?;
    let mut stream = std::pin::pin!(stream);
    let mut version = version;
    while let Some(event) = stream.next().await {
        match event {
            Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                version = object.meta().resource_version.clone().unwrap_or(version);
                cache.apply(object);
            }
            Ok(WatchEvent::Deleted(object)) => {
                version = object.meta().resource_version.clone().unwrap_or(version);
                cache.remove(&object);
            }
            Ok(WatchEvent::Bookmark(bookmark)) => {
                version = bookmark.metadata.resource_version;
                cache.bookmark(parse_version(Some(&version)));
            }
            // 410: the version is compacted away; any other refusal is also mended by a new list.
            Ok(WatchEvent::Error(_)) => return Ok(None),
            Err(source) => {
                debug!(
                    kind = api.resource_url(),
                    error = &source as &dyn std::error::Error,
                    "watch broke, resuming"
                );
                tokio::time::sleep(FIRST_PAUSE).await;
                return Ok(Some(version));
            }
        }
    }
    Ok(Some(version))
}
