//! Follows nodes and Pods, and looks at each node: regularly, and soon after a container has started there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::scrape::scrape;
use crate::seen::{self, PodSeen, Seen};

/// The pause between two looks at a node; metrics-server's.
const INTERVAL: Duration = Duration::from_secs(15);
/// How long after the first look, and after a start, the next one comes: a window that tells something.
const SOON: Duration = Duration::from_secs(1);
/// The pause after a look that failed: many nodes are only just starting.
const RETRY: Duration = Duration::from_secs(2);
/// How long a node may take; metrics-server's.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who looks at the nodes, by name.
type Lookers = Arc<parking_lot::Mutex<HashMap<String, Looker>>>;

/// A task that looks at one node. It ends with this.
struct Looker {
    started: Arc<Notify>,
    _ends: DropGuard,
}

/// Follows until it is dropped.
pub(crate) async fn follow(client: Client, seen: Arc<Seen>) {
    let lookers = Lookers::default();
    let nodes = follow_nodes(client.clone(), seen.clone(), lookers.clone());
    tokio::join!(nodes, follow_pods(client, seen, lookers));
}

async fn follow_nodes(client: Client, seen: Arc<Seen>, lookers: Lookers) {
    let mut listed = HashMap::new();
    let api = Api::<Node>::all(client.clone());
    each(api, watcher::Config::default(), "nodes", |event| {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(node) => listed.extend([seen::node(&node)]),
            Event::InitDone => *seen.nodes.write() = listed.drain().collect(),
            Event::Apply(node) => seen.nodes.write().extend([seen::node(&node)]),
            Event::Delete(node) => drop(seen.nodes.write().remove(&seen::node(&node).0)),
        }
        let names: Vec<String> = seen.nodes.read().keys().cloned().collect();
        lookers.lock().retain(|name, _| names.contains(name));
        seen.usage.write().retain(|name, _| names.contains(name));
        for name in names {
            let mut lookers = lookers.lock();
            lookers
                .entry(name.clone())
                .or_insert_with(|| Looker::start(client.clone(), name, seen.clone()));
        }
    })
    .await;
}

async fn follow_pods(client: Client, seen: Arc<Seen>, lookers: Lookers) {
    let mut listed = std::collections::BTreeMap::new();
    let started = |node: &str| {
        if let Some(looker) = lookers.lock().get(node) {
            looker.started.notify_one();
        }
    };
    let api = Api::<Pod>::all(client);
    each(api, watcher::Config::default(), "pods", |event| match event {
        Event::Init => listed.clear(),
        Event::InitApply(pod) => listed.extend(PodSeen::of(&pod).map(|found| (seen::place(&pod), found))),
        Event::InitDone => *seen.pods.write() = std::mem::take(&mut listed),
        Event::Apply(pod) => {
            let (place, found) = (seen::place(&pod), PodSeen::of(&pod));
            let mut pods = seen.pods.write();
            let before = match &found {
                Some(found) => pods.insert(place, found.clone()),
                None => pods.remove(&place),
            };
            if let Some(found) = found
                && before.is_none_or(|before| before.starts != found.starts)
            {
                started(&found.node);
            }
        }
        Event::Delete(pod) => drop(seen.pods.write().remove(&seen::place(&pod))),
    })
    .await;
}

/// Hands over every event of a kind; says when the API is gone, once.
pub(crate) async fn each<K>(api: Api<K>, config: watcher::Config, what: &str, mut take: impl FnMut(Event<K>))
where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let mut events = toolforge_watch::watch(api, config);
    let mut complained = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                complained = false;
                take(event);
            }
            Err(error) if !complained => {
                complained = true;
                tracing::warn!(what, %error, "the API does not tell of changes; trying again");
            }
            Err(_) => {}
        }
    }
}

impl Looker {
    fn start(client: Client, node: String, seen: Arc<Seen>) -> Self {
        let (started, ends) = (Arc::new(Notify::new()), CancellationToken::new());
        let looking = look(client, node, seen, started.clone());
        tokio::spawn(ends.clone().run_until_cancelled_owned(looking));
        Self {
            started,
            _ends: ends.drop_guard(),
        }
    }
}

/// Looks at a node for ever.
async fn look(client: Client, node: String, seen: Arc<Seen>, started: Arc<Notify>) {
    let mut complained = false;
    let mut is_first = true;
    // When what has started lately can be measured, and what has started since.
    let (mut wanted, mut later): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        let begun = Instant::now();
        wanted = wanted.filter(|at| *at > begun).or_else(|| later.take());
        let looked = timeout(PATIENCE, scrape(&client, &node)).await;
        let problem = match looked {
            Ok(Ok(look)) => {
                seen.usage.write().entry(node.clone()).or_default().add(look);
                None
            }
            Ok(Err(error)) => Some(format!("it {error}")),
            Err(_) => Some("it takes too long to answer".to_owned()),
        };
        seen.looks.ended(problem.is_none());
        if let Some(problem) = &problem
            && !complained
        {
            tracing::warn!(
                node,
                problem,
                "a node does not tell what is used on it; trying again"
            );
        }
        complained = problem.is_some();
        let pause = match (&problem, is_first) {
            (Some(_), _) => RETRY,
            (None, true) => SOON,
            (None, false) => INTERVAL,
        };
        is_first = is_first && problem.is_some();
        loop {
            let next = wanted.map_or(begun + pause, |wanted| wanted.min(begun + pause));
            tokio::select! {
                () = sleep_until(next) => break,
                () = started.notified() => {
                    let measurable = Some(Instant::now() + SOON);
                    if wanted.is_none() { wanted = measurable } else { later = measurable }
                }
            }
        }
    }
}
