//! The controller of ending namespaces. It asks the API itself, not the caches, whether anything is left: a namespace must
//! not be finalized over an object that a cache has not seen yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ApiResource, DeleteParams, ListParams, PostParams};
use kube::{Client, Resource, ResourceExt};

use crate::cache::Change;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::key::Key;
use crate::owner::is_dying;
use crate::queue::Queue;
use crate::world::{Meta, World, whole_kinds};

/// The finalizer that this controller removes.
const FINALIZER: &str = "kubernetes";

/// The controller.
pub(crate) struct EndingNamespaces {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

/// What is left in a namespace.
#[derive(Default)]
struct Remaining {
    objects: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
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
        for (_, cache) in &world.others {
            let notice = noticer(world, &queue);
            cache.on_change(move |change| notice(&namespace_left(change)));
        }
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }

    async fn empty(&self, namespace: &str) -> Result<Remaining, Failure> {
        let kinds = self.world.served.iter().filter(|kind| kind.namespaced);
        let (pods, mut rest): (Vec<ApiResource>, Vec<ApiResource>) = kinds
            .map(|kind| kind.resource.clone())
            .partition(|kind| kind.kind == "Pod" && kind.group.is_empty());
        let remaining = self.empty_kinds(namespace, &pods).await?;
        if !remaining.objects.is_empty() {
            // What Pods still use (policies, accounts, configuration) outlives them.
            return Ok(remaining);
        }
        rest.push(ApiResource::erase::<k8s_openapi::api::core::v1::Event>(&()));
        self.empty_kinds(namespace, &rest).await
    }

    async fn empty_kinds(&self, namespace: &str, kinds: &[ApiResource]) -> Result<Remaining, Failure> {
        let results = join_all(
            kinds
                .iter()
                .map(|kind| empty_kind(&self.world.client, namespace, kind)),
        )
        .await;
        let mut remaining = Remaining::default();
        for (kind, result) in kinds.iter().zip(results) {
            let left = result.step("empty a namespace")?;
            if left.is_empty() {
                continue;
            }
            let name = if kind.group.is_empty() {
                kind.plural.clone()
            } else {
                format!("{}.{}", kind.plural, kind.group)
            };
            remaining.objects.insert(name, left.len());
            for finalizer in left.iter().flat_map(ResourceExt::finalizers) {
                *remaining.finalizers.entry(finalizer.clone()).or_default() += 1;
            }
        }
        Ok(remaining)
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
        let conditions = status.conditions.get_or_insert_default();
        for condition in conditions_of(remaining) {
            match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
                Some(known) if known.status == condition.status && known.message == condition.message => {}
                Some(known) => *known = condition,
                None => conditions.push(condition),
            }
        }
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
        let remaining = self.empty(&key.name).await?;
        if remaining.objects.is_empty() {
            self.finalize(&namespace).await?;
        } else {
            // Each object that goes brings the namespace back here.
            self.report(&namespace, &remaining).await?;
        }
        Ok(None)
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

fn conditions_of(remaining: &Remaining) -> [NamespaceCondition; 2] {
    let objects = listed(&remaining.objects, "has");
    let finalizers = if remaining.finalizers.is_empty() {
        "All content-preserving finalizers finished".to_owned()
    } else {
        let list = listed(&remaining.finalizers, "in");
        format!("Some content in the namespace has finalizers remaining: {list}")
    };
    let content = format!("Some resources are remaining: {objects}");
    [
        condition("NamespaceContentRemaining", Some("SomeResourcesRemain"), content),
        condition(
            "NamespaceFinalizersRemaining",
            (!remaining.finalizers.is_empty()).then_some("SomeFinalizersRemain"),
            finalizers,
        ),
    ]
}

/// A condition that holds for `reason`, or does not hold.
fn condition(kind: &str, reason: Option<&str>, message: String) -> NamespaceCondition {
    NamespaceCondition {
        type_: kind.to_owned(),
        status: if reason.is_some() { "True" } else { "False" }.to_owned(),
        reason: Some(reason.unwrap_or("ContentHasNoFinalizers").to_owned()),
        message: Some(message),
        last_transition_time: Some(Time(Timestamp::now())),
    }
}

fn listed(counts: &BTreeMap<String, usize>, word: &str) -> String {
    let parts = counts
        .iter()
        .map(|(name, count)| format!("{name} {word} {count} resource instances"));
    parts.collect::<Vec<_>>().join(", ")
}

/// The namespace that an object has just left, or that has just got one.
fn namespace_left<K: Resource>(change: &Change<'_, K>) -> String {
    let gone = change
        .old
        .filter(|_| change.new.is_none())
        .or(change.new.filter(|_| change.old.is_none()));
    gone.and_then(|object| object.meta().namespace.clone())
        .unwrap_or_default()
}

fn noticer(world: &Arc<World>, queue: &Arc<Queue<Key>>) -> impl Fn(&str) + Send + Sync + 'static {
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
