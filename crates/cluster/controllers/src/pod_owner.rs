//! What the controllers that own Pods by a selector have in common: hearing of their Pods, adopting and counting them.
//! Used by `replica_set`, `stateful_set` and `job`; what an owner does with its Pods is theirs.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::controller::{Failure, Step};
use crate::kept::Kept;
use crate::key::Key;
use crate::object::Object;
use crate::owner::{claim, settle};
use crate::pod::Pod;
use crate::queue::Queue;
use crate::selection::selects;

/// A kind whose objects own Pods by a selector.
pub(crate) trait PodOwner:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The finalizer that adopted Pods get, and that they lose when they are let go.
    const FINALIZER: Option<&'static str> = None;

    /// The selector; an owner without one has no Pods.
    fn selector(&self) -> Option<&LabelSelector>;
}

impl PodOwner for ReplicaSet {
    fn selector(&self) -> Option<&LabelSelector> {
        Some(&self.spec.selector)
    }
}

impl PodOwner for StatefulSet {
    fn selector(&self) -> Option<&LabelSelector> {
        Some(&self.spec.selector)
    }
}

/// A queue that gets the key of an owner whenever it changes, or a Pod that it controls or could adopt does.
pub(crate) fn queue_of_owners<O: PodOwner>(owners: &Kept<O>, pods: &Kept<Pod>) -> Arc<Queue<Key>> {
    let queue = Arc::new(Queue::new());
    let add = Arc::clone(&queue);
    owners.on_change(move |change| change.sides().for_each(|owner| add.add(Key::of(&**owner))));
    let (add, owners) = (Arc::clone(&queue), owners.clone());
    pods.on_change(move |change| {
        for pod in change.sides() {
            let namespace = pod.namespace();
            match pod.controller() {
                Some(owner) if *owner.kind == O::kind(&()) => {
                    add.add(Key::new(namespace, &*owner.name));
                }
                Some(_) => {}
                None => owners
                    .namespace(namespace)
                    .iter()
                    .filter(|owner| owner.selector().is_some_and(|selector| selects(selector, &**pod)))
                    .for_each(|owner| add.add(Key::of(&**owner))),
            }
        }
    });
    queue
}

/// The Pods of `owner`, after those that match were adopted and those that do not were let go.
pub(crate) async fn settled_pods<O: PodOwner>(
    owners: &Kept<O>,
    owner: &O,
    pods: &Kept<Pod>,
) -> Result<Vec<Arc<Pod>>, Failure> {
    let Some(selector) = owner.selector() else {
        return Ok(Vec::new());
    };
    let claims = claim(owner.meta(), selector, candidates(owner, pods));
    settle(owners, owner, pods, claims, O::FINALIZER)
        .await
        .step("adopt pods")
}

/// The Pods that `owner` controls and selects, as known now.
pub(crate) fn owned_pods<O: PodOwner>(owner: &O, pods: &Kept<Pod>) -> Vec<Arc<Pod>> {
    let Some(selector) = owner.selector() else {
        return Vec::new();
    };
    claim(owner.meta(), selector, candidates(owner, pods)).owned
}

fn candidates<O: PodOwner>(owner: &O, pods: &Kept<Pod>) -> Vec<Arc<Pod>> {
    pods.claimable(owner.namespace(), owner.uid())
}
