//! The garbage collector: looks at an object when an owner of it goes, or when it is being deleted with a policy for its
//! dependents. Before anything is deleted the API itself is asked whether the owner is really gone.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ApiResource, DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use parking_lot::Mutex;
use serde_json::json;

use super::graph::{Graph, GroupKind, Thing};
use super::plan::{FOREGROUND, ORPHAN, OwnerState, Verdict, verdict};
use crate::cache::{Cache, Change};
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::kept::MANAGER;
use crate::meta::Meta;
use crate::object::Object;
use crate::queue::Queue;
use crate::world::{World, whole_kinds};

/// The controller.
pub(crate) struct Garbage {
    world: Arc<World>,
    queue: Arc<Queue<String>>,
    graph: Arc<Mutex<Graph>>,
}

impl Garbage {
    /// Registers for changes of every kind.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let graph = Arc::new(Mutex::new(Graph::default()));
        macro_rules! attend {
            ($world:expr, $name:ident) => {
                let kind = crate::world::erase(&$world.$name);
                attend(&$world.$name, &kind, &graph, &queue);
            };
        }
        whole_kinds!(attend, world);
        let (of_kind, look_at) = (Arc::clone(&graph), Arc::clone(&queue));
        world
            .others
            .on_kind(move |kind, cache| attend(cache, &kind.resource, &of_kind, &look_at));
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
            graph,
        })
    }

    /// The API of a kind; none when it is not served (any more).
    fn api(&self, kind: &GroupKind, namespace: &str) -> Option<Api<Meta>> {
        let served = self.world.served_kind(&kind.group, &kind.kind)?;
        Some(if served.namespaced {
            Api::namespaced_with(self.world.client.clone(), namespace, &served.resource)
        } else {
            Api::all_with(self.world.client.clone(), &served.resource)
        })
    }

    /// The states of a thing's owners; those that the graph does not know are looked up.
    async fn owner_states(&self, thing: &Thing) -> Result<HashMap<String, OwnerState>, Failure> {
        let mut states = HashMap::new();
        for owner in &thing.owners {
            let known = self
                .graph
                .lock()
                .get(&owner.uid)
                .filter(|known| known.is_meant_by(owner, thing))
                .map(state_of);
            let state = match known {
                Some(state) => state,
                None => self.look_up(owner, &thing.key.namespace).await?,
            };
            states.insert(owner.uid.clone(), state);
        }
        Ok(states)
    }

    async fn look_up(&self, owner: &OwnerReference, namespace: &str) -> Result<OwnerState, Failure> {
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        let Some(served) = self.world.served_kind(group, &owner.kind) else {
            // A kind that is not served (any more): nothing can be said about its objects.
            return Ok(OwnerState::There);
        };
        if served.namespaced && namespace.is_empty() {
            // An object of the cluster names an owner that has a namespace, and nobody knows which.
            return Ok(OwnerState::There);
        }
        let kind = Arc::new(GroupKind {
            group: group.to_owned(),
            kind: owner.kind.clone(),
        });
        let Some(api) = self.api(&kind, namespace) else {
            return Ok(OwnerState::There);
        };
        let found = gone_is_fine(api.get(&owner.name).await).step("look up an owner")?;
        Ok(match found {
            Some(found) if found.uid() == owner.uid => state_of(&Thing::of(&kind, &found).1),
            _ => OwnerState::Gone,
        })
    }

    async fn delete(&self, uid: &str, thing: &Thing, policy: PropagationPolicy) -> Result<(), Failure> {
        let params = DeleteParams {
            propagation_policy: Some(policy),
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let Some(api) = self.api(&thing.kind, &thing.key.namespace) else {
            return Ok(());
        };
        let deleted = api.delete(&thing.key.name, &params).await;
        match gone_is_fine(deleted) {
            // Another object has that name by now.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => other.step("delete what has no owner").map(drop),
        }
    }

    /// Rewrites the metadata of an object with what `change` makes of the newest version of it.
    async fn rewrite(
        &self,
        uid: &str,
        thing: &Thing,
        change: impl Fn(&Meta) -> serde_json::Value + Send,
    ) -> Result<(), Failure> {
        let Some(api) = self.api(&thing.kind, &thing.key.namespace) else {
            return Ok(());
        };
        let Some(newest) = gone_is_fine(api.get(&thing.key.name).await).step("read an object")? else {
            return Ok(());
        };
        if newest.uid() != uid {
            return Ok(());
        }
        let mut metadata = change(&newest);
        metadata["uid"] = json!(uid);
        metadata["resourceVersion"] = json!(newest.metadata.resource_version);
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        let patched = api
            .patch_metadata(&thing.key.name, &PatchParams::apply(MANAGER), &patch)
            .await;
        gone_is_fine(patched).step("write an object's owners").map(drop)
    }

    async fn release(&self, uid: &str, thing: &Thing, finalizer: &str) -> Result<(), Failure> {
        let without = |newest: &Meta| {
            let mut rest = newest.finalizers();
            rest.retain(|known| known != finalizer);
            json!({ "finalizers": some(&rest) })
        };
        self.rewrite(uid, thing, without).await
    }

    async fn orphan(&self, uid: &str, thing: &Thing, dependents: &[String]) -> Result<(), Failure> {
        for dependent in dependents {
            let Some(orphan) = self.graph.lock().get(dependent).cloned() else {
                continue;
            };
            let without = |newest: &Meta| {
                let mut rest = newest.owners();
                rest.retain(|owner| owner.uid != uid);
                json!({ "ownerReferences": some(&rest) })
            };
            self.rewrite(dependent, &orphan, without).await?;
        }
        self.release(uid, thing, ORPHAN).await
    }

    async fn keep(&self, uid: &str, thing: &Thing, owners: &[OwnerReference]) -> Result<(), Failure> {
        let kept = |newest: &Meta| {
            let mut rest = newest.owners();
            rest.retain(|owner| {
                owners.iter().any(|kept| kept.uid == owner.uid)
                    || !thing.owners.iter().any(|known| known.uid == owner.uid)
            });
            json!({ "ownerReferences": some(&rest) })
        };
        self.rewrite(uid, thing, kept).await
    }
}

impl Controller for Garbage {
    type Key = String;

    const NAME: &'static str = "garbage";

    fn queue(&self) -> &Queue<String> {
        &self.queue
    }

    async fn reconcile(&self, uid: &String) -> Result<Again, Failure> {
        let Some(thing) = self.graph.lock().get(uid).cloned() else {
            return Ok(None);
        };
        let states = if thing.dying {
            HashMap::new()
        } else {
            self.owner_states(&thing).await?
        };
        let state = |owner: &OwnerReference| states.get(&owner.uid).copied().unwrap_or(OwnerState::There);
        let verdict = verdict(&self.graph.lock(), uid, state);
        match verdict {
            Verdict::Leave => {}
            Verdict::Delete => self.delete(uid, &thing, policy_of(&thing)).await?,
            Verdict::DeleteInForeground => self.delete(uid, &thing, PropagationPolicy::Foreground).await?,
            Verdict::KeepOwners(owners) => self.keep(uid, &thing, &owners).await?,
            Verdict::AwaitDependents(dependents) => {
                for dependent in dependents {
                    self.queue.add(dependent);
                }
            }
            Verdict::Release(finalizer) => self.release(uid, &thing, finalizer).await?,
            Verdict::Orphan(dependents) => self.orphan(uid, &thing, &dependents).await?,
        }
        Ok(None)
    }
}

/// An object that was to be deleted in a certain way before keeps that way.
fn policy_of(thing: &Thing) -> PropagationPolicy {
    if thing.has_finalizer(ORPHAN) {
        PropagationPolicy::Orphan
    } else if thing.has_finalizer(FOREGROUND) {
        PropagationPolicy::Foreground
    } else {
        PropagationPolicy::Background
    }
}

/// An empty list is written as none at all.
fn some<T>(list: &[T]) -> Option<&[T]> {
    Some(list).filter(|list| !list.is_empty())
}

fn state_of(thing: &Thing) -> OwnerState {
    if thing.dying && thing.has_finalizer(FOREGROUND) {
        OwnerState::Waiting
    } else {
        OwnerState::There
    }
}

/// Feeds the graph with the objects of a kind.
fn attend<K: Object + 'static>(
    cache: &Cache<K>,
    kind: &ApiResource,
    graph: &Arc<Mutex<Graph>>,
    queue: &Arc<Queue<String>>,
) {
    let (graph, queue) = (Arc::clone(graph), Arc::clone(queue));
    let kind = Arc::new(GroupKind {
        group: kind.group.clone(),
        kind: kind.kind.clone(),
    });
    cache.on_change(move |change: &Change<'_, K>| {
        let mut look_at = Vec::new();
        let new_uid = change.new.map(|object| object.uid());
        let mut graph = graph.lock();
        if let Some(old) = change.old.filter(|old| Some(old.uid()) != new_uid) {
            look_at.extend(graph.remove(old.uid()));
        }
        if let Some(new) = change.new {
            let (uid, thing) = Thing::of(&kind, &**new);
            look_at.extend(graph.put(uid, thing));
        }
        drop(graph);
        for uid in look_at {
            queue.add(uid);
        }
    });
}
