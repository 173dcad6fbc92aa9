//! The controller of `PodDisruptionBudgets`: runs for a budget whenever it, a Pod that it selects or the owner of such a
//! Pod changes.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, DynamicObject};

use super::plan::{Observed, Plan, Scales, needs_scales, plan};
use crate::cache::Change;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::events::{Kind, Recorder};
use crate::kept::Kept;
use crate::key::Key;
use crate::object::Object;
use crate::owner::controller_of;
use crate::pod::{Owner, Pod};
use crate::queue::Queue;
use crate::selection::selects;
use crate::world::World;

const COMPONENT: &str = "controllermanager";

/// The controller.
pub(crate) struct Budgets {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
}

impl Budgets {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world
            .budgets
            .on_change(move |change| change.sides().for_each(|budget| add.add(Key::of(&**budget))));
        let (add, budgets) = (Arc::clone(&queue), world.budgets.clone());
        world.pods.on_change(move |change| {
            for pod in change.sides() {
                for budget in budgets.namespace(pod.namespace()) {
                    if selects_pod(&budget, pod) {
                        add.add(Key::of(&*budget));
                    }
                }
            }
        });
        let budgets = &world.budgets;
        world
            .replica_sets
            .on_change(on_scaling(budgets, &queue, |set: &ReplicaSet| set.spec.replicas));
        world
            .deployments
            .on_change(on_scaling(budgets, &queue, |owner: &Deployment| {
                owner.spec.replicas
            }));
        world
            .stateful_sets
            .on_change(on_scaling(budgets, &queue, |set: &StatefulSet| set.spec.replicas));
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue,
        })
    }

    /// What the controllers of `pods` want.
    async fn scales(&self, namespace: &str, pods: &[Arc<Pod>]) -> Result<Scales, Failure> {
        let mut scales = Scales::new();
        for owner in pods.iter().filter_map(|pod| pod.controller()) {
            if !scales.contains_key(&*owner.uid)
                && let Some(scale) = self.scale(namespace, owner).await?
            {
                scales.insert(owner.uid.to_string(), scale);
            }
        }
        Ok(scales)
    }

    async fn scale(&self, namespace: &str, owner: &Owner) -> Result<Option<Result<i32, String>>, Failure> {
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        match (group, &*owner.kind) {
            ("apps", "ReplicaSet") => Ok(self.scale_of_set(namespace, owner).map(Ok)),
            ("apps", "StatefulSet") => {
                let set = self.world.stateful_sets.get(namespace, &owner.name);
                let set = set.filter(|set| &*owner.uid == set.uid());
                Ok(set.map(|set| Ok(set.spec.replicas.unwrap_or(1))))
            }
            _ => self.scale_by_api(namespace, owner, group).await,
        }
    }

    /// A `ReplicaSet` in a rollout is a part of what its Deployment wants.
    fn scale_of_set(&self, namespace: &str, owner: &Owner) -> Option<i32> {
        let set = self.world.replica_sets.get(namespace, &owner.name)?;
        if &*owner.uid != set.uid() {
            return None;
        }
        let deployment =
            controller_of(&set.metadata).and_then(|above| self.world.deployments.get(namespace, &above.name));
        let replicas = match deployment {
            Some(deployment) => deployment.spec.replicas,
            None => set.spec.replicas,
        };
        Some(replicas.unwrap_or(1))
    }

    /// Any other controller says what it wants through its scale subresource, if it has one.
    async fn scale_by_api(
        &self,
        namespace: &str,
        owner: &Owner,
        group: &str,
    ) -> Result<Option<Result<i32, String>>, Failure> {
        let Some(served) = self.world.served_kind(group, &owner.kind) else {
            return Ok(None);
        };
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.world.client.clone(), namespace, &served.resource);
        let scale = gone_is_fine(api.get_scale(&owner.name).await).step("read a scale")?;
        let replicas = scale.map(|scale| scale.spec.and_then(|spec| spec.replicas).unwrap_or(0));
        Ok(Some(replicas.ok_or_else(|| {
            let resource = format!("{}.{group}", served.resource.plural);
            format!("{resource} does not implement the scale subresource")
        })))
    }

    fn say(&self, budget: &PodDisruptionBudget, plan: &Plan, pods: &[Arc<Pod>]) {
        let warn = |reason, message| {
            self.recorder
                .record(COMPONENT, budget, Kind::Warning, reason, message);
        };
        if pods.is_empty() {
            let message = "No matching pods found".to_owned();
            self.recorder
                .record(COMPONENT, budget, Kind::Normal, "NoPods", message);
        }
        if let Some(why) = &plan.trouble {
            let message = format!("Failed to calculate the number of expected pods: {why}");
            warn("CalculateExpectedPodCountFailed", message);
        }
        if plan.unmanaged {
            warn(
                "UnmanagedPods",
                "Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of the \
                 PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods \
                 please set \".spec.minAvailable\" field of the PDB to an integer value."
                    .to_owned(),
            );
        }
        for pod in &plan.not_deleted {
            let message = format!(
                "Pod was expected by PDB {} to be deleted but it wasn't",
                Key::of(budget)
            );
            self.recorder
                .record(COMPONENT, &**pod, Kind::Warning, "NotDeleted", message);
        }
    }
}

impl Controller for Budgets {
    type Key = Key;

    const NAME: &'static str = "disruption";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(budget) = self.world.budgets.by_key(key) else {
            return Ok(None);
        };
        let mut pods = self.world.pods.namespace(&key.namespace);
        pods.retain(|pod| selects_pod(&budget, pod));
        let scales = if needs_scales(&budget) {
            self.scales(&key.namespace, &pods).await?
        } else {
            Scales::new()
        };
        let plan = plan(Observed {
            budget: &budget,
            pods: &pods,
            scales: &scales,
            now: Timestamp::now(),
        });
        if budget.status.as_ref() != Some(&plan.status) {
            self.say(&budget, &plan, &pods);
            let mut changed = (*budget).clone();
            changed.status = Some(plan.status);
            // An eviction in between has made the numbers stale: a conflict brings the budget back.
            gone_is_fine(self.world.budgets.replace_status(&changed).await)
                .step("write a disruption budget's status")?;
        }
        Ok(plan.again)
    }
}

/// Brings all budgets of a namespace back when an owner of Pods in it is scaled.
fn on_scaling<K: Object + 'static>(
    budgets: &Kept<PodDisruptionBudget>,
    queue: &Arc<Queue<Key>>,
    replicas: fn(&K) -> Option<i32>,
) -> impl Fn(&Change<'_, K>) + Send + Sync + 'static {
    let (budgets, add) = (budgets.clone(), Arc::clone(queue));
    move |change| {
        let before = change.old.map(|old| replicas(old));
        let after = change.new.map(|new| replicas(new));
        if before == after {
            return;
        }
        for owner in change.sides().take(1) {
            for budget in budgets.namespace(owner.namespace()) {
                add.add(Key::of(&*budget));
            }
        }
    }
}

fn selects_pod(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|selector| selects(selector, pod))
}
