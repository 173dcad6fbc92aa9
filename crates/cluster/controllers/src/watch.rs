//! One watch per kind, which begins with the objects that are there, feeding a [`Cache`] until shutdown. Started by `world.rs`.
//!
//! Not `kube::runtime::watcher`: that one hides the resource version of the list and of bookmarks, and the cache's
//! promise (one sees one's own writes) stands on exactly that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use kube::core::watch::Bookmark;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::cache::{Cache, parse_version};
use crate::key::Key;
use crate::object::Object;

/// First pause after a failed request.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between attempts to reach the API.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Keeps `cache` equal to what `api` has, until `shutdown`.
pub(crate) async fn follow<K>(api: Api<K::Kind>, cache: Arc<Cache<K>>, shutdown: CancellationToken)
where
    K: Object<Kind: Clone> + DeserializeOwned + Send + 'static,
{
    shutdown.run_until_cancelled(follow_forever(&api, &cache)).await;
}

async fn follow_forever<K>(api: &Api<K::Kind>, cache: &Cache<K>)
where
    K: Object<Kind: Clone> + DeserializeOwned + Send + 'static,
{
    let mut version = None;
    let mut pause = FIRST_PAUSE;
    loop {
        match watch(api, cache, version.take()).await {
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
                        "cannot watch, trying again"
                    );
                } else {
                    debug!(
                        kind,
                        error = &source as &dyn std::error::Error,
                        "cannot watch, trying again"
                    );
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// The objects that are there when a watch begins, until they are complete. They come one by one, so that they are
/// never all here as JSON, nor with what the cache does not keep.
struct First<K>(BTreeMap<Key, Arc<K>>);

impl<K: Object> First<K> {
    fn put(&mut self, mut object: K) {
        object.thin();
        self.0.insert(Key::of(&object), Arc::new(object));
    }
}

/// Watches from `version`, or from the objects that are there now; returns the version to resume from, or `None` when
/// that has to be done anew.
async fn watch<K>(
    api: &Api<K::Kind>,
    cache: &Cache<K>,
    version: Option<String>,
) -> Result<Option<String>, kube::Error>
where
    K: Object<Kind: Clone> + DeserializeOwned + Send + 'static,
{
    let mut first = version.is_none().then(|| First(BTreeMap::new()));
    let parameters = match &first {
        Some(_) => WatchParams::default().initial_events(),
        None => WatchParams::default(),
    };
    let mut stream = toolforge_watch::watch_once(api, &parameters, version.as_deref().unwrap_or("0")).await?;
    let mut version = version;
    while let Some(event) = stream.next().await {
        match event {
            Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                if let Some(first) = &mut first {
                    first.put(object);
                } else {
                    version = version_of(&object).or(version);
                    cache.apply(object);
                }
            }
            Ok(WatchEvent::Deleted(object)) => {
                if let Some(first) = &mut first {
                    first.0.remove(&Key::of(&object));
                } else {
                    version = version_of(&object).or(version);
                    cache.remove(&object);
                }
            }
            Ok(WatchEvent::Bookmark(bookmark)) => {
                let at = parse_version(Some(&bookmark.metadata.resource_version));
                match first.take() {
                    Some(whole) if is_complete(&bookmark) => cache.replace(whole.0, at),
                    None => cache.bookmark(at),
                    Some(more) => {
                        first = Some(more);
                        continue;
                    }
                }
                version = Some(bookmark.metadata.resource_version);
            }
            // 410: the version is compacted away; any other refusal is also mended by beginning anew.
            Ok(WatchEvent::Error(_)) => {
                version = None;
                break;
            }
            Err(source) if first.is_some() => return Err(source),
            Err(source) => {
                debug!(
                    kind = api.resource_url(),
                    error = &source as &dyn std::error::Error,
                    "watch broke, resuming"
                );
                tokio::time::sleep(FIRST_PAUSE).await;
                return Ok(version);
            }
        }
    }
    if first.is_some() {
        // It ended before it was complete.
        tokio::time::sleep(FIRST_PAUSE).await;
    }
    Ok(version)
}

/// The version to resume from once `object` has been seen.
fn version_of(object: &impl Object) -> Option<String> {
    let version = object.written_at();
    (version > 0).then(|| version.to_string())
}

/// Whether all objects that were there at the beginning of the watch have come.
fn is_complete(bookmark: &Bookmark) -> bool {
    let end = bookmark.metadata.annotations.get("k8s.io/initial-events-end");
    end.is_some_and(|end| end == "true")
}
