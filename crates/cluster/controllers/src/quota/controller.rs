//! The controller of quota status: counts anew whenever an object of a namespace with a quota comes, goes or, for Pods and
//! Services, changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, ListParams};

use super::usage::{Counted, desired_status, is_same};
use crate::cache::Change;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::key::Key;
use crate::object::Object;
use crate::owner::is_dying;
use crate::queue::Queue;
use crate::scheduler::resources::{Amounts, add, parse};
use crate::world::{World, whole_kinds};

/// The controller.
pub(crate) struct QuotaStatus {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

impl QuotaStatus {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        macro_rules! count {
            ($world:expr, $name:ident) => {{
                let notice = noticer(world, &queue);
                let every_change = matches!(stringify!($name), "pods" | "services" | "quotas");
                $world.$name.on_change(move |change| {
                    if every_change || change.old.is_none() || change.new.is_none() {
                        notice(namespace_of(change));
                    }
                });
            }};
        }
        whole_kinds!(count, world);
        let notice = noticer(world, &queue);
        world.others.on_kind(move |_, cache| {
            let notice = notice.clone();
            cache.on_change(move |change| {
                if change.old.is_none() || change.new.is_none() {
                    notice(namespace_of(change));
                }
            });
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }

    async fn count(&self, namespace: &str, with_storage: bool) -> Result<Counted, Failure> {
        let mut objects = BTreeMap::new();
        macro_rules! count {
            ($world:expr, $name:ident) => {
                let kind = crate::world::erase(&$world.$name);
                objects.insert(
                    counted_name(&kind.plural, &kind.group),
                    $world.$name.namespace(namespace).len(),
                );
            };
        }
        whole_kinds!(count, self.world);
        for (kind, cache) in self.world.others.all() {
            let name = counted_name(&kind.resource.plural, &kind.resource.group);
            objects.insert(name, cache.namespace(namespace).len());
        }
        Ok(Counted {
            pods: self.world.pods.namespace(namespace),
            services: self.world.services.namespace(namespace),
            storage: if with_storage {
                self.storage(namespace).await?
            } else {
                Amounts::new()
            },
            objects,
        })
    }

    async fn storage(&self, namespace: &str) -> Result<Amounts, Failure> {
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.world.client.clone(), namespace);
        let claims = api
            .list(&ListParams::default())
            .await
            .step("list volume claims")?;
        let mut sum = Amounts::new();
        for claim in claims {
            let resources = claim.spec.and_then(|spec| spec.resources);
            add(
                &mut sum,
                &parse(resources.and_then(|resources| resources.requests).as_ref()),
            );
        }
        Ok(sum)
    }
}

impl Controller for QuotaStatus {
    type Key = Key;

    const NAME: &'static str = "quota";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(quota) = self
            .world
            .quotas
            .by_key(key)
            .filter(|quota| !is_dying(&quota.metadata))
        else {
            return Ok(None);
        };
        let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref());
        let with_storage = hard.is_some_and(|hard| hard.contains_key("requests.storage"));
        let status = desired_status(&quota, &self.count(&key.namespace, with_storage).await?);
        if is_same(quota.status.as_ref(), &status) {
            return Ok(None);
        }
        let mut changed = (*quota).clone();
        changed.status = Some(status);
        gone_is_fine(self.world.quotas.replace_status(&changed).await).step("write a quota's status")?;
        Ok(None)
    }
}

fn counted_name(plural: &str, group: &str) -> String {
    if group.is_empty() {
        plural.to_owned()
    } else {
        format!("{plural}.{group}")
    }
}

fn namespace_of<'a, K: Object>(change: &Change<'a, K>) -> &'a str {
    let object = change.new.or(change.old);
    object.map(|object| object.namespace()).unwrap_or_default()
}

fn noticer(world: &Arc<World>, queue: &Arc<Queue<Key>>) -> impl Fn(&str) + Clone + Send + Sync + 'static {
    let (quotas, queue) = (world.quotas.clone(), Arc::clone(queue));
    move |namespace| {
        if !namespace.is_empty() {
            quotas
                .namespace(namespace)
                .iter()
                .for_each(|quota| queue.add(Key::of(&**quota)));
        }
    }
}
