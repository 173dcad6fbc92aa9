//! A watch that outlives the API: it resumes after every start from the last event that it saw.

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, WatchEvent, WatchParams};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::writers;

/// The object whose creation is the last event.
pub(crate) const LAST: &str = "the-end";

/// An event as it was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) revision: u64,
    pub(crate) key: String,
    /// None when the object went.
    pub(crate) value: Option<u64>,
}

/// The watch.
pub(crate) struct Follower {
    api: watch::Sender<Api<ConfigMap>>,
    task: JoinHandle<Vec<Seen>>,
}

impl Follower {
    /// Watches from a revision on.
    pub(crate) fn start(from: u64, maps: Api<ConfigMap>) -> Self {
        let (api, started) = watch::channel(maps);
        let task = tokio::spawn(follow(from, started));
        Self { api, task }
    }

    /// The API has been started again.
    pub(crate) fn go_on(&self, maps: Api<ConfigMap>) {
        self.api.send_replace(maps);
    }

    /// Everything up to the last event.
    pub(crate) async fn finish(self) -> Vec<Seen> {
        self.task.await.unwrap()
    }
}

async fn follow(from: u64, mut started: watch::Receiver<Api<ConfigMap>>) -> Vec<Seen> {
    let (mut seen, mut last) = (Vec::new(), from);
    loop {
        let maps = started.borrow_and_update().clone();
        if read(&maps, &mut last, &mut seen).await {
            return seen;
        }
        if started.changed().await.is_err() {
            return seen;
        }
    }
}

/// Reads until the API is gone; true at the last event.
async fn read(maps: &Api<ConfigMap>, last: &mut u64, seen: &mut Vec<Seen>) -> bool {
    let params = WatchParams::default().labels("crash=yes");
    let Ok(stream) = maps.watch(&params, &last.to_string()).await else {
        return false;
    };
    let mut stream = stream.boxed();
    while let Some(Ok(event)) = stream.next().await {
        let (map, is_there) = match event {
            WatchEvent::Added(map) | WatchEvent::Modified(map) => (map, true),
            WatchEvent::Deleted(map) => (map, false),
            WatchEvent::Bookmark(mark) => {
                *last = mark.metadata.resource_version.parse().unwrap();
                continue;
            }
            WatchEvent::Error(status) => panic!("the watch cannot resume at {last}: {status:?}"),
        };
        *last = map.metadata.resource_version.as_ref().unwrap().parse().unwrap();
        seen.push(Seen {
            revision: *last,
            key: writers::name(&map),
            value: is_there.then(|| writers::value(&map)),
        });
        if writers::name(&map) == LAST {
            return true;
        }
    }
    false
}
