//! The controller of ending namespaces. It asks the API itself, not the caches, whether anything is left: a namespace must
//! not be finalized over an object that a cache has not seen yet.

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DeleteParams, ListParams, PostParams};
use kube::{Client, ResourceExt};

use super::conditions::{Remaining, updated};
use crate::cache::Change;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine, text_of};
use crate::key::Key;
use crate::meta::Meta;
use crate::object::Object;
use crate::owner::is_dying;
use crate::queue::Queue;
use crate::world::{Served, World, whole_kinds};

/// The finalizer that this controller removes.
const FINALIZER: &str = "kubernetes";

/// The controller.
pub(crate) struct EndingNamespaces {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

impl EndingNamespaces {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.namespaces.on_change(move |change| {
            if let Some(namespace) = change.new.filter(|namespace| is_dying(&namespace.metadata)) {
                add.add(Key::of(&**namespace));
            }
        });
        macro_rules! notice {
            ($world:expr, $name:ident) => {{
                let notice = noticer(world, &queue);
                $world
                    .$name
                    .on_change(move |change| notice(&namespace_left(change)));
            }};
        }
        whole_kinds!(notice, world);
        let notice = noticer(world, &queue);
        world.others.on_kind(move |_, cache| {
            let notice = notice.clone();
            cache.on_change(move |change| notice(&namespace_left(change)));
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }

    /// Deletes what is in the namespace; what is left of it, and the refusal because of which it has to be tried again.
    async fn empty(&self, namespace: &str) -> (Remaining, Option<Failure>) {
        let kinds = self.namespaced();
        let (pods, rest): (Vec<_>, Vec<_>) = kinds.iter().cloned().partition(|kind| kind.is("", "Pod"));
        // What Pods still use (policies, accounts, configuration) outlives them.
        let mut left = self.empty_kinds(namespace, &pods).await;
        if left.0.is_nothing() {
            left = self.empty_kinds(namespace, &rest).await;
        }
        if left.0.is_nothing() {
            left = self.empty_new_kinds(namespace, &kinds).await;
        }
        left
    }

    /// Before the namespace goes, the API is asked whether it serves more kinds by now.
    async fn empty_new_kinds(&self, namespace: &str, known: &[Arc<Served>]) -> (Remaining, Option<Failure>) {
        if let Err(error) = self.world.rediscover().await {
            let remaining = Remaining {
                unknown: Some(text_of(&error)),
                ..Remaining::default()
            };
            return (
                remaining,
                Err::<(), _>(error).step("ask what the API serves").err(),
            );
        }
        let mut kinds = self.namespaced();
        kinds.retain(|kind| !known.contains(kind));
        self.empty_kinds(namespace, &kinds).await
    }

    fn namespaced(&self) -> Vec<Arc<Served>> {
        let served = self.world.served();
        let mut kinds: Vec<Arc<Served>> = served.iter().filter(|kind| kind.namespaced).cloned().collect();
        // Not among those that are watched.
        kinds.push(Arc::new(Served {
            resource: ApiResource::erase::<k8s_openapi::api::core::v1::Event>(&()),
            namespaced: true,
        }));
        kinds
    }

    async fn empty_kinds(&self, namespace: &str, kinds: &[Arc<Served>]) -> (Remaining, Option<Failure>) {
        let client = &self.world.client;
        let results = join_all(
            kinds
                .iter()
                .map(|kind| empty_kind(client, namespace, &kind.resource)),
        )
        .await;
        let (mut remaining, mut trouble) = (Remaining::default(), None);
        for (kind, result) in kinds.iter().zip(results) {
            match gone_is_fine(result) {
                Ok(left) => remaining.extend(counted(&kind.resource, &left.unwrap_or_default())),
                Err(error) => {
                    remaining.refusals.push(text_of(&error));
                    trouble = Err::<(), _>(error).step("empty a namespace").err();
                }
            }
        }
        (remaining, trouble)
    }

    async fn finalize(&self, namespace: &Namespace) -> Result<(), Failure> {
        let mut changed = namespace.clone();
        if let Some(finalizers) = changed.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
            finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        let name = namespace.metadata.name.as_deref().unwrap_or_default();
        let api = self.world.namespaces.everywhere();
        let result = api
            .replace_subresource("finalize", name, &PostParams::default(), &changed)
            .await;
        gone_is_fine(result).step("finalize a namespace").map(drop)
    }

    async fn report(&self, namespace: &Namespace, remaining: &Remaining) -> Result<(), Failure> {
        let mut changed = namespace.clone();
        let status = changed.status.get_or_insert_default();
        let known = status.conditions.take().unwrap_or_default();
        status.conditions = Some(updated(known, remaining, Timestamp::now()));
        if changed.status == namespace.status {
            return Ok(());
        }
        let api = self.world.namespaces.everywhere();
        let name = namespace.metadata.name.as_deref().unwrap_or_default();
        let written = gone_is_fine(api.replace_status(name, &PostParams::default(), &changed).await);
        if let Some(written) = written.step("write a namespace's status")? {
            self.world.namespaces.absorb(written);
        }
        Ok(())
    }
}

impl Controller for EndingNamespaces {
    type Key = Key;

    const NAME: &'static str = "namespace";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(namespace) = self.world.namespaces.by_key(key) else {
            return Ok(None);
        };
        let finalizers = namespace
            .spec
            .as_ref()
            .and_then(|spec| spec.finalizers.as_deref())
            .unwrap_or_default();
        if !is_dying(&namespace.metadata) || !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(None);
        }
        let (remaining, trouble) = self.empty(&key.name).await;
        if remaining.is_nothing() {
            self.finalize(&namespace).await?;
        } else {
            // Each object that goes brings the namespace back here.
            self.report(&namespace, &remaining).await?;
        }
        trouble.map_or(Ok(None), Err)
    }
}

/// Deletes all objects of a kind in a namespace and returns what is left of them.
async fn empty_kind(client: &Client, namespace: &str, kind: &ApiResource) -> Result<Vec<Meta>, kube::Error> {
    let api: Api<Meta> = Api::namespaced_with(client.clone(), namespace, kind);
    let everything = ListParams::default();
    let left = api.list(&everything).await?.items;
    if left.iter().all(|object| is_dying(&object.metadata)) {
        return Ok(left);
    }
    api.delete_collection(&DeleteParams::background(), &everything)
        .await?;
    Ok(api.list(&everything).await?.items)
}

fn counted(kind: &ApiResource, left: &[Meta]) -> Remaining {
    let mut remaining = Remaining::default();
    if !left.is_empty() {
        let name = format!("{}.{}", kind.plural, kind.group);
        remaining.objects.insert(name, left.len());
    }
    for finalizer in left.iter().flat_map(ResourceExt::finalizers) {
        *remaining.finalizers.entry(finalizer.clone()).or_default() += 1;
    }
    remaining
}

/// The namespace that an object has just left, or that has just got one.
fn namespace_left<K: Object>(change: &Change<'_, K>) -> String {
    let gone = change
        .old
        .filter(|_| change.new.is_none())
        .or(change.new.filter(|_| change.old.is_none()));
    gone.map(|object| object.namespace().to_owned())
        .unwrap_or_default()
}

fn noticer(world: &Arc<World>, queue: &Arc<Queue<Key>>) -> impl Fn(&str) + Clone + Send + Sync + 'static {
    let (namespaces, queue) = (world.namespaces.clone(), Arc::clone(queue));
    move |namespace| {
        if !namespace.is_empty()
            && namespaces
                .get("", namespace)
                .is_some_and(|known| is_dying(&known.metadata))
        {
            queue.add(Key::new("", namespace));
        }
    }
}
