//! Watches of a cluster's objects. Whoever follows objects of some kind begins here, and not with `kube`'s own functions, which
//! they stand on.
//!
//! `kube` makes a copy of all that keeps a watch going for each type that is watched, and two of how the type is read from
//! JSON. Dozens of types in a dozen components came to a tenth of the program, which is in the memory of every platform. So
//! there is one watch, of objects that are text; an object is read when it reaches who asked for it.

mod unread;

use futures::{StreamExt as _, stream::BoxStream};
use kube::{
    Api, Resource,
    api::{WatchEvent, WatchParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Config, Event},
    },
};
use serde::de::DeserializeOwned;

use unread::Unread;

/// Follows objects for as long as the stream lives: as [`kube::runtime::watcher()`] does, with growing pauses after errors.
///
/// An object that cannot be read is an error in its place; those behind it are told all the same.
pub fn watch<K>(api: Api<K>, config: Config) -> BoxStream<'static, watcher::Result<Event<K>>>
where
    K: Resource + DeserializeOwned + Send + 'static,
{
    watch_unread(Unread::api(api), config)
        .map(|event| event.and_then(read_event))
        .boxed()
}

/// Follows one object: `None` when it is not there.
pub fn watch_object<K>(api: Api<K>, name: &str) -> BoxStream<'static, watcher::Result<Option<K>>>
where
    K: Resource + DeserializeOwned + Send + 'static,
{
    watch_unread_object(Unread::api(api), name)
        .map(|seen| seen.and_then(|object| object.map(|object| read(&object)).transpose()))
        .boxed()
}

/// A watch from a version on, for as long as the API keeps it open: as [`Api::watch`]. Objects are read as `T`, which is
/// `K` or what somebody needs of it.
///
/// # Errors
/// When the API does not begin it.
pub async fn watch_once<K, T>(
    api: &Api<K>,
    parameters: &WatchParams,
    version: &str,
) -> kube::Result<BoxStream<'static, kube::Result<WatchEvent<T>>>>
where
    K: Resource + Clone,
    T: DeserializeOwned + Send + 'static,
{
    let events = watch_unread_once(Unread::api(api.clone()), parameters, version).await?;
    Ok(events
        .map(|event| {
            Ok(match event? {
                WatchEvent::Added(object) => WatchEvent::Added(object.read()?),
                WatchEvent::Modified(object) => WatchEvent::Modified(object.read()?),
                WatchEvent::Deleted(object) => WatchEvent::Deleted(object.read()?),
                WatchEvent::Bookmark(bookmark) => WatchEvent::Bookmark(bookmark),
                WatchEvent::Error(status) => WatchEvent::Error(status),
            })
        })
        .boxed())
}

fn watch_unread(api: Api<Unread>, config: Config) -> BoxStream<'static, watcher::Result<Event<Unread>>> {
    watcher::watcher(api, config).default_backoff().boxed()
}

fn watch_unread_object(api: Api<Unread>, name: &str) -> BoxStream<'static, watcher::Result<Option<Unread>>> {
    watcher::watch_object(api, name).default_backoff().boxed()
}

async fn watch_unread_once(
    api: Api<Unread>,
    parameters: &WatchParams,
    version: &str,
) -> kube::Result<BoxStream<'static, kube::Result<WatchEvent<Unread>>>> {
    Ok(api.watch(parameters, version).await?.boxed())
}

fn read_event<K: DeserializeOwned>(event: Event<Unread>) -> watcher::Result<Event<K>> {
    Ok(match event {
        Event::Apply(object) => Event::Apply(read(&object)?),
        Event::Delete(object) => Event::Delete(read(&object)?),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(read(&object)?),
        Event::InitDone => Event::InitDone,
    })
}

fn read<K: DeserializeOwned>(object: &Unread) -> watcher::Result<K> {
    object.read().map_err(watcher::Error::WatchFailed)
}

#[cfg(test)]
mod tests;
