//! What the controllers know of the cluster: one watch per kind, shared by all of them.
//!
//! Kinds whose content matters to some controller are kept, but for what none of them reads (`lean.rs`, `pod.rs`); of every other
//! kind that the API serves, the metadata is kept (`others.rs`), for garbage collection and quota. Events are not watched:
//! nothing depends on them.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{Endpoints, Namespace, Node, ResourceQuota, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ApiResource;
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Client, Resource};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::kept::Kept;
use crate::object::Object;
use crate::others::Others;
use crate::owner::is_dying;
use crate::pod::Pod;
use crate::watch::follow;

/// A kind that the API serves and that can be listed, watched and deleted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Served {
    /// Its names.
    pub(crate) resource: ApiResource,
    /// Whether its objects live in namespaces.
    pub(crate) namespaced: bool,
}

impl Served {
    /// Whether both are the same kind, in whatever version.
    pub(crate) fn is_same_kind(&self, other: &Self) -> bool {
        self.is(&other.resource.group, &other.resource.kind)
    }

    /// Whether it is the kind of that name.
    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.resource.group == group && self.resource.kind == kind
    }
}

/// All caches.
pub(crate) struct World {
    pub(crate) client: Client,
    served: RwLock<Arc<[Arc<Served>]>>,
    /// Held while the API is asked what it serves, so that an older answer never replaces a newer one.
    discovery: tokio::sync::Mutex<()>,
    pub(crate) deployments: Kept<Deployment>,
    pub(crate) replica_sets: Kept<ReplicaSet>,
    pub(crate) stateful_sets: Kept<StatefulSet>,
    pub(crate) revisions: Kept<ControllerRevision>,
    pub(crate) jobs: Kept<Job>,
    pub(crate) cron_jobs: Kept<CronJob>,
    pub(crate) budgets: Kept<PodDisruptionBudget>,
    pub(crate) autoscalers: Kept<HorizontalPodAutoscaler>,
    pub(crate) pods: Kept<Pod>,
    pub(crate) services: Kept<Service>,
    pub(crate) endpoints: Kept<Endpoints>,
    pub(crate) slices: Kept<EndpointSlice>,
    pub(crate) quotas: Kept<ResourceQuota>,
    pub(crate) accounts: Kept<ServiceAccount>,
    pub(crate) namespaces: Kept<Namespace>,
    pub(crate) nodes: Kept<Node>,
    pub(crate) requests: Kept<CertificateSigningRequest>,
    /// The metadata of every other kind.
    pub(crate) others: Others,
}

/// Calls a macro with the name of every cache of whole objects.
macro_rules! whole_kinds {
    ($call:ident, $world:expr $(, $extra:expr)*) => {
        $call!($world, deployments $(, $extra)*);
        $call!($world, replica_sets $(, $extra)*);
        $call!($world, stateful_sets $(, $extra)*);
        $call!($world, revisions $(, $extra)*);
        $call!($world, jobs $(, $extra)*);
        $call!($world, cron_jobs $(, $extra)*);
        $call!($world, budgets $(, $extra)*);
        $call!($world, autoscalers $(, $extra)*);
        $call!($world, pods $(, $extra)*);
        $call!($world, services $(, $extra)*);
        $call!($world, endpoints $(, $extra)*);
        $call!($world, slices $(, $extra)*);
        $call!($world, quotas $(, $extra)*);
        $call!($world, accounts $(, $extra)*);
        $call!($world, namespaces $(, $extra)*);
        $call!($world, nodes $(, $extra)*);
        $call!($world, requests $(, $extra)*);
    };
}

pub(crate) use whole_kinds;

impl World {
    /// Asks the API what it serves and prepares empty caches.
    pub(crate) async fn discover(client: Client) -> Result<Self, kube::Error> {
        let world = Self {
            deployments: Kept::new(&client),
            replica_sets: Kept::new(&client),
            stateful_sets: Kept::new(&client),
            revisions: Kept::new(&client),
            jobs: Kept::new(&client),
            cron_jobs: Kept::new(&client),
            budgets: Kept::new(&client),
            autoscalers: Kept::new(&client),
            pods: Kept::new(&client),
            services: Kept::new(&client),
            endpoints: Kept::new(&client),
            slices: Kept::new(&client),
            quotas: Kept::new(&client),
            accounts: Kept::new(&client),
            namespaces: Kept::new(&client),
            nodes: Kept::new(&client),
            requests: Kept::new(&client),
            others: Others::new(client.clone()),
            served: RwLock::new(Arc::default()),
            discovery: tokio::sync::Mutex::default(),
            client,
        };
        world.rediscover().await?;
        Ok(world)
    }

    /// Asks the API anew what it serves, and follows the kinds that have come.
    pub(crate) async fn rediscover(&self) -> Result<(), kube::Error> {
        let _turn = self.discovery.lock().await;
        let served: Arc<[Arc<Served>]> = served(&self.client).await?.into_iter().map(Arc::new).collect();
        let whole = self.whole();
        let rest = served
            .iter()
            .filter(|kind| !whole.contains(&group_kind(&kind.resource)));
        let rest: Vec<Arc<Served>> = rest.cloned().collect();
        *self.served.write() = served;
        self.others.set(&rest);
        Ok(())
    }

    /// All kinds that the API serves.
    pub(crate) fn served(&self) -> Arc<[Arc<Served>]> {
        Arc::clone(&self.served.read())
    }

    /// Starts all watches. Handlers have to be registered before.
    pub(crate) fn follow(&self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        macro_rules! start {
            ($world:expr, $name:ident) => {
                self.follow_whole(&$world.$name, tasks, shutdown);
            };
        }
        whole_kinds!(start, self);
        self.others.follow(tasks, shutdown);
    }

    /// Waits until every first list is in.
    pub(crate) async fn synced(&self) {
        macro_rules! wait {
            ($world:expr, $name:ident) => {
                $world.$name.synced().await;
            };
        }
        whole_kinds!(wait, self);
        for (_, cache) in self.others.all() {
            cache.synced().await;
        }
    }

    /// The kind of that name, if the API serves it.
    pub(crate) fn served_kind(&self, group: &str, kind: &str) -> Option<Arc<Served>> {
        self.served()
            .iter()
            .find(|served| served.is(group, kind))
            .cloned()
    }

    /// Whether a namespace is gone or on its way: nothing new is made in it.
    pub(crate) fn is_ending(&self, namespace: &str) -> bool {
        self.namespaces
            .get("", namespace)
            .is_none_or(|namespace| is_dying(&namespace.metadata))
    }

    fn follow_whole<K>(&self, kept: &Kept<K>, tasks: &TaskTracker, shutdown: &CancellationToken)
    where
        K: Object + DeserializeOwned + Send + Sync + 'static,
        K::Kind: Resource<DynamicType = ()> + Clone + Send + Sync,
    {
        let wanted = group_kind(&erase(kept));
        if self
            .served()
            .iter()
            .any(|kind| group_kind(&kind.resource) == wanted)
        {
            tasks.spawn(follow(kept.everywhere(), Arc::clone(kept), shutdown.clone()));
        } else {
            kept.mark_synced();
        }
    }

    fn whole(&self) -> HashSet<(String, String)> {
        let mut whole = HashSet::new();
        macro_rules! name {
            ($world:expr, $name:ident) => {
                whole.insert(group_kind(&erase(&$world.$name)));
            };
        }
        whole_kinds!(name, self);
        whole
    }
}

pub(crate) fn erase<K: Object<Kind: Resource<DynamicType = ()>>>(_: &Kept<K>) -> ApiResource {
    ApiResource::erase::<K::Kind>(&())
}

pub(crate) fn group_kind(resource: &ApiResource) -> (String, String) {
    (resource.group.clone(), resource.kind.clone())
}

async fn served(client: &Client) -> Result<Vec<Served>, kube::Error> {
    let discovery = Discovery::new(client.clone()).run().await?;
    let mut served = Vec::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            let usable = [verbs::LIST, verbs::WATCH, verbs::DELETE]
                .iter()
                .all(|verb| capabilities.supports_operation(verb));
            if usable && resource.kind != "Event" {
                served.push(Served {
                    resource,
                    namespaced: capabilities.scope == Scope::Namespaced,
                });
            }
        }
    }
    Ok(served)
}
