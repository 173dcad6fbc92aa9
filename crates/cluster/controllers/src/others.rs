//! The kinds of which only metadata is kept: one cache and one watch each, coming and going with what the API serves.
//!
//! `world.rs` says which kinds there are, at the start and whenever a custom kind is defined or taken away; controllers
//! register once and hear of every kind, those to come included.

use std::sync::Arc;

use kube::{Api, Client};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::meta::Meta;
use crate::watch::follow;
use crate::world::Served;

type Handler = Box<dyn Fn(&Arc<Served>, &Arc<Cache<Meta>>) + Send + Sync>;

/// The caches of metadata.
pub(crate) struct Others {
    client: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Vec<Kept>,
    handlers: Vec<Handler>,
    /// Where watches run, once they may.
    running: Option<(TaskTracker, CancellationToken)>,
}

struct Kept {
    served: Arc<Served>,
    cache: Arc<Cache<Meta>>,
    watch: Option<CancellationToken>,
}

impl Others {
    /// None yet.
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            state: Mutex::default(),
        }
    }

    /// Calls `handler` for every kind that there is and that will be, before its first list. It may only register.
    pub(crate) fn on_kind(&self, handler: impl Fn(&Arc<Served>, &Arc<Cache<Meta>>) + Send + Sync + 'static) {
        let mut state = self.state.lock();
        for kept in &state.kept {
            handler(&kept.served, &kept.cache);
        }
        state.handlers.push(Box::new(handler));
    }

    /// All kinds with their caches.
    pub(crate) fn all(&self) -> Vec<(Arc<Served>, Arc<Cache<Meta>>)> {
        let state = self.state.lock();
        let all = state.kept.iter();
        all.map(|kept| (Arc::clone(&kept.served), Arc::clone(&kept.cache)))
            .collect()
    }

    /// Takes note of what is served now: kinds that are new get a cache and a watch, those that are gone are forgotten
    /// with all their objects, and those that have another version are watched in that one.
    pub(crate) fn set(&self, served: &[Arc<Served>]) {
        let gone = self.state.lock().set(served, &self.client);
        // Objects of a kind that is taken away went before it; should one have been missed, it is gone all the same.
        for cache in gone {
            cache.clear();
        }
    }

    /// Starts the watches, of kinds to come as well.
    pub(crate) fn follow(&self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        let mut state = self.state.lock();
        for kept in &mut state.kept {
            kept.start(&self.client, tasks, shutdown);
        }
        state.running = Some((tasks.clone(), shutdown.clone()));
    }
}

impl State {
    /// Brings the caches in line with what is served; returns those of kinds that are gone.
    fn set(&mut self, served: &[Arc<Served>], client: &Client) -> Vec<Arc<Cache<Meta>>> {
        let mut gone = Vec::new();
        self.kept.retain_mut(|kept| {
            let now = served.iter().find(|kind| kind.is_same_kind(&kept.served));
            if now != Some(&kept.served) {
                kept.stop();
            }
            match now {
                Some(kind) => kept.served = Arc::clone(kind),
                None => gone.push(Arc::clone(&kept.cache)),
            }
            now.is_some()
        });
        for kind in served {
            if self.kept.iter().any(|kept| kept.served == *kind) {
                continue;
            }
            let cache = Arc::new(Cache::new());
            for handler in &self.handlers {
                handler(kind, &cache);
            }
            self.kept.push(Kept {
                served: Arc::clone(kind),
                cache,
                watch: None,
            });
        }
        if let Some((tasks, shutdown)) = &self.running {
            for kept in &mut self.kept {
                kept.start(client, tasks, shutdown);
            }
        }
        gone
    }
}

impl Kept {
    fn start(&mut self, client: &Client, tasks: &TaskTracker, shutdown: &CancellationToken) {
        if self.watch.is_some() {
            return;
        }
        let stop = shutdown.child_token();
        let api: Api<Meta> = Api::all_with(client.clone(), &self.served.resource);
        tasks.spawn(follow(api, Arc::clone(&self.cache), stop.clone()));
        self.watch = Some(stop);
    }

    fn stop(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.cancel();
        }
    }
}
