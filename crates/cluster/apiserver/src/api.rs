//! The parts that every request works with.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher as _};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use toolforge_chain::Chain;

use crate::aggregation::Aggregation;
use crate::allocate::Allocator;
use crate::audit::AuditLog;
use crate::authz::Access;
use crate::conversion::Conversion;
use crate::definitions::Kinds;
use crate::metrics::Metrics;
use crate::nodes::Nodes;
use crate::rest::CompressedLists;
use crate::store::{Key, Store};
use crate::tokens::Tokens;
use crate::world::StoredWorld;

/// Locks of each purpose. More than writers at a time, so that two names rarely share one.
const LOCKS: usize = 64;

/// The API without its transport.
pub(crate) struct Api {
    pub(crate) store: Arc<Store>,
    pub(crate) access: Arc<Access>,
    /// The kinds that users have defined.
    pub(crate) kinds: Arc<Kinds>,
    /// Who else answers for what.
    pub(crate) aggregation: Arc<Aggregation>,
    pub(crate) addresses: Arc<Allocator>,
    pub(crate) nodes: Nodes,
    pub(crate) tokens: Tokens,
    pub(crate) metrics: Arc<Metrics>,
    /// Set when the roof has opened one.
    pub(crate) audit: OnceLock<Arc<AuditLog>>,
    pub(crate) chain: Chain,
    /// Who converts the versions of users' kinds.
    pub(crate) conversion: Arc<Conversion>,
    /// Lists that are kept compressed.
    pub(crate) lists: CompressedLists,
    /// Ends watches and log streams.
    pub(crate) closing: CancellationToken,
    quota_locks: Vec<Mutex<()>>,
    turns: Vec<Mutex<()>>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Puts the parts together.
    pub(crate) fn new(
        store: Arc<Store>,
        access: Arc<Access>,
        kinds: Arc<Kinds>,
        aggregation: Arc<Aggregation>,
        addresses: Arc<Allocator>,
        nodes: Nodes,
        tokens: Tokens,
    ) -> Self {
        let metrics = Arc::new(Metrics::new(store.clone(), kinds.clone()));
        let mut world = StoredWorld {
            store: store.clone(),
            kinds: kinds.clone(),
            access: access.clone(),
            conversion: None,
        };
        let conversion = Arc::new(Conversion::new(Arc::new(world.clone())));
        world.conversion = Some(conversion.clone());
        let chain = Chain::new(Arc::new(world)).observed_by(metrics.clone());
        Self {
            store,
            access,
            kinds,
            aggregation,
            addresses,
            nodes,
            tokens,
            metrics,
            audit: OnceLock::new(),
            chain,
            conversion,
            lists: CompressedLists::default(),
            closing: CancellationToken::new(),
            quota_locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            turns: (0..LOCKS).map(|_| Mutex::new(())).collect(),
        }
    }

    /// Held from counting to writing, so that two writers cannot both take the last of a quota.
    pub(crate) async fn quota_lock(&self, namespace: &str) -> MutexGuard<'_, ()> {
        self.quota_locks[slot(namespace)].lock().await
    }

    /// Writers of one object that keep losing against each other take turns.
    pub(crate) async fn turn(&self, key: &Key) -> MutexGuard<'_, ()> {
        self.turns[slot(key)].lock().await
    }
}

fn slot(what: impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default()
}
