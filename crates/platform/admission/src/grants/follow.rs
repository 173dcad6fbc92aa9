//! Keeps the index up to date by watches, one for each kind of object.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use futures::StreamExt;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use toolforge_policy::psp::{GROUP, GrantIndex, Holder, KIND, PLURAL, PodSecurityPolicy, VERSION};

use super::LookError;
use super::look::Looks;

/// How many kinds are followed.
const KINDS: usize = 5;

/// The grants as far as they are known, and a way to know better.
#[derive(Clone)]
pub(crate) struct Grants {
    index: Arc<RwLock<GrantIndex>>,
    listed: watch::Receiver<usize>,
    looks: Arc<Looks>,
}

impl Grants {
    /// Starts to follow roles, bindings and policies until `shutdown`.
    pub(crate) fn follow(client: &Client, shutdown: &CancellationToken) -> Self {
        let index = Arc::new(RwLock::new(GrantIndex::default()));
        let (listed, receiver) = watch::channel(0);
        let start = Start {
            index: Arc::clone(&index),
            listed,
            client: client.clone(),
            shutdown: shutdown.clone(),
        };
        start.kind(Api::all(client.clone()), GrantIndex::put_role, |index, at| {
            index.remove_role(&at.0, &at.1);
        });
        start.kind(Api::all(client.clone()), GrantIndex::put_binding, |index, at| {
            index.remove_binding(&at.0, &at.1);
        });
        start.kind::<ClusterRole>(
            Api::all(client.clone()),
            GrantIndex::put_cluster_role,
            |index, at| {
                index.remove_cluster_role(&at.1);
            },
        );
        start.kind::<ClusterRoleBinding>(
            Api::all(client.clone()),
            GrantIndex::put_cluster_binding,
            |index, at| {
                index.remove_cluster_binding(&at.1);
            },
        );
        start.policies();
        Self {
            index,
            listed: receiver,
            looks: Arc::new(Looks::new(client.clone())),
        }
    }

    /// Knows these, and asks the API before a refusal is final.
    #[cfg(fuzzing)]
    pub(crate) fn fixed(client: Client, index: GrantIndex) -> Self {
        Self {
            index: Arc::new(RwLock::new(index)),
            listed: watch::channel(KINDS).1,
            looks: Arc::new(Looks::new(client)),
        }
    }

    /// Whether everything has been read once.
    pub(crate) fn are_known(&self) -> bool {
        *self.listed.borrow() >= KINDS
    }

    /// The policies that any of these may use in a namespace, as far as is known.
    pub(crate) fn usable(&self, namespace: &str, holders: &[Holder<'_>]) -> Vec<Arc<PodSecurityPolicy>> {
        self.index
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .usable(namespace, holders)
    }

    /// The same by what the API says now of this namespace: what was granted a moment ago may not have arrived here.
    pub(crate) async fn look(
        &self,
        namespace: &str,
        holders: &[Holder<'_>],
    ) -> Result<Vec<Arc<PodSecurityPolicy>>, LookError> {
        let fresh = self.looks.look(namespace, &self.index).await?;
        Ok(fresh.usable(namespace, holders))
    }
}

/// What every watch needs.
struct Start {
    index: Arc<RwLock<GrantIndex>>,
    listed: watch::Sender<usize>,
    client: Client,
    shutdown: CancellationToken,
}

type Place = (String, String);

impl Start {
    fn kind<K>(&self, api: Api<K>, put: fn(&mut GrantIndex, &K), remove: fn(&mut GrantIndex, Place))
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        self.watch(api, put, remove);
    }

    /// Policies are read leniently: one that cannot be used is as good as not there.
    fn policies(&self) {
        let api = Api::all_with(self.client.clone(), &policies());
        self.watch(
            api,
            |index, object: &DynamicObject| match read_policy(object) {
                Some(policy) => index.put_policy(policy),
                None => {
                    index.remove_policy(&object.name_any());
                }
            },
            |index, at| {
                index.remove_policy(&at.1);
            },
        );
    }

    fn watch<K>(&self, api: Api<K>, put: fn(&mut GrantIndex, &K), remove: fn(&mut GrantIndex, Place))
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (index, listed) = (Arc::clone(&self.index), self.listed.clone());
        let follow = async move {
            let mut events = toolforge_watch::watch(api, watcher::Config::default());
            let mut known: HashSet<Place> = HashSet::new();
            let mut seen: HashSet<Place> = HashSet::new();
            let mut complete = false;
            while let Some(event) = events.next().await {
                let change = |change: &mut dyn FnMut(&mut GrantIndex)| {
                    change(&mut index.write().unwrap_or_else(PoisonError::into_inner));
                };
                match event {
                    Ok(Event::Init) => seen.clear(),
                    Ok(Event::InitApply(object)) => {
                        seen.insert(place(&object));
                        change(&mut |index| put(index, &object));
                    }
                    Ok(Event::InitDone) => {
                        change(&mut |index| {
                            for gone in known.difference(&seen) {
                                remove(index, gone.clone());
                            }
                        });
                        known = std::mem::take(&mut seen);
                        if !complete {
                            complete = true;
                            listed.send_modify(|count| *count += 1);
                        }
                    }
                    Ok(Event::Apply(object)) => {
                        known.insert(place(&object));
                        change(&mut |index| put(index, &object));
                    }
                    Ok(Event::Delete(object)) => {
                        known.remove(&place(&object));
                        change(&mut |index| remove(index, place(&object)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the grants of Pod security policies cannot be watched; trying again");
                    }
                }
            }
        };
        tokio::spawn(self.shutdown.clone().run_until_cancelled_owned(follow));
    }
}

fn place(object: &impl ResourceExt) -> Place {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// How the API calls policies.
pub(super) fn policies() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, KIND), PLURAL)
}

pub(super) fn read_policy(object: &DynamicObject) -> Option<PodSecurityPolicy> {
    let read = serde_json::to_value(object)
        .ok()
        .map(|value| PodSecurityPolicy::read(&value))?;
    match read {
        Ok(policy) => Some(policy),
        Err(error) => {
            let (name, source) = (object.name_any(), std::error::Error::source(&error));
            tracing::warn!(name, %error, source, "a Pod security policy cannot be used");
            None
        }
    }
}

/// Listed by `look` as well.
pub(super) type Lists = (Vec<Role>, Vec<RoleBinding>);
