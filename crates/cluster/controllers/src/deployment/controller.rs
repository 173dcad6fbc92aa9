//! The Deployment controller: carries out `plan.rs` whenever a Deployment, one of its `ReplicaSets` or (for Recreate) one
//! of their Pods changes.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use serde_json::json;

use super::plan::{Action, Change, Observed, Plan, is_recreate, plan};
use super::replica_sets::{REVISION, wanted};
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine, text_of};
use crate::events::{Kind, Recorder};
use crate::key::Key;
use crate::object::Object;
use crate::owner::{claim, controller_of, is_dying, settle};
use crate::queue::Queue;
use crate::selection::selects;
use crate::world::World;

const COMPONENT: &str = "deployment-controller";

/// The controller.
pub(crate) struct Deployments {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
}

impl Deployments {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.deployments.on_change(move |change| {
            change
                .sides()
                .for_each(|deployment| add.add(Key::of(&**deployment)));
        });
        let (add, deployments) = (Arc::clone(&queue), world.deployments.clone());
        world.replica_sets.on_change(move |change| {
            for set in change.sides() {
                let namespace = set.metadata.namespace.clone().unwrap_or_default();
                match controller_of(&set.metadata) {
                    Some(owner) => add.add(Key::new(namespace, owner.name.clone())),
                    None => {
                        orphan_matches(&deployments.namespace(&namespace), set).for_each(|key| add.add(key));
                    }
                }
            }
        });
        let (add, sets, deployments) = (
            Arc::clone(&queue),
            world.replica_sets.clone(),
            world.deployments.clone(),
        );
        world.pods.on_change(move |change| {
            // Only the end of an old Pod matters, and only to those that wait for it.
            let Some(pod) = change.old else { return };
            let namespace = pod.namespace();
            let Some(set) = pod
                .controller()
                .and_then(|owner| sets.get(namespace, &owner.name))
            else {
                return;
            };
            let Some(owner) = controller_of(&set.metadata) else {
                return;
            };
            if deployments
                .get(namespace, &owner.name)
                .is_some_and(|deployment| is_recreate(&deployment))
            {
                add.add(Key::new(namespace, owner.name.clone()));
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue,
        })
    }

    async fn owned_sets(&self, deployment: &Deployment) -> Result<Vec<Arc<ReplicaSet>>, Failure> {
        let namespace = deployment.metadata.namespace.as_deref().unwrap_or_default();
        let claims = claim(
            &deployment.metadata,
            &deployment.spec.selector,
            self.world
                .replica_sets
                .claimable(namespace, deployment.metadata.uid.as_deref().unwrap_or_default()),
        );
        let settled = settle(
            &self.world.deployments,
            deployment,
            &self.world.replica_sets,
            claims,
            None,
        )
        .await;
        settled.step("adopt replica sets")
    }

    async fn execute(&self, deployment: &Deployment, action: &Action) -> Result<(), Failure> {
        match action {
            Action::Create(set) => self.create(deployment, set).await,
            Action::Change(change) => self.change(deployment, change).await,
            Action::Delete(set) => self
                .world
                .replica_sets
                .delete(set)
                .await
                .step("delete an old replica set"),
            // Written with the status.
            Action::SetRevision(_) => Ok(()),
        }
    }

    async fn create(&self, deployment: &Deployment, set: &ReplicaSet) -> Result<(), Failure> {
        let name = set.metadata.name.as_deref().unwrap_or_default();
        match self.world.replica_sets.create(set).await {
            Ok(_) => {
                let message = format!("Scaled up replica set {name} from 0 to {}", wanted(set));
                self.recorder
                    .record(COMPONENT, deployment, Kind::Normal, "ScalingReplicaSet", message);
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.code == 409 => {
                self.resolve_collision(deployment, set).await
            }
            Err(error) => {
                let message = format!("Failed to create new replica set \"{name}\": {}", text_of(&error));
                self.recorder.record(
                    COMPONENT,
                    deployment,
                    Kind::Warning,
                    "ReplicaSetCreateError",
                    message,
                );
                Err(error).step("create a replica set")
            }
        }
    }

    /// The name is taken. By our own `ReplicaSet`, which the watch will show; or by another one: then a new hash is due.
    async fn resolve_collision(&self, deployment: &Deployment, wanted: &ReplicaSet) -> Result<(), Failure> {
        let namespace = wanted.metadata.namespace.as_deref().unwrap_or_default();
        let name = wanted.metadata.name.as_deref().unwrap_or_default();
        let there = self
            .world
            .replica_sets
            .api(namespace)
            .get(name)
            .await
            .step("read a replica set")?;
        let owner = controller_of(&there.metadata).map(|owner| owner.uid.as_str());
        let same_template = there.spec.template == wanted.spec.template;
        if owner == deployment.metadata.uid.as_deref() && same_template {
            self.world.replica_sets.absorb(there);
            return Ok(());
        }
        let mut changed = deployment.clone();
        let status = changed.status.get_or_insert_default();
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        self.world
            .deployments
            .replace_status(&changed)
            .await
            .step("count a name collision")
            .map(drop)
    }

    async fn change(&self, deployment: &Deployment, change: &Change) -> Result<(), Failure> {
        let mut patch = json!({"metadata": {"annotations": change.annotations}});
        if let Some(replicas) = change.replicas {
            patch["spec"]["replicas"] = json!(replicas);
        }
        if let Some(seconds) = change.min_ready_seconds {
            patch["spec"]["minReadySeconds"] = json!(seconds);
        }
        self.world
            .replica_sets
            .merge(&change.set, patch)
            .await
            .step("change a replica set")?;
        let before = wanted(&change.set);
        if let Some(after) = change.replicas.filter(|after| *after != before) {
            let direction = if after > before { "up" } else { "down" };
            let name = change.set.metadata.name.as_deref().unwrap_or_default();
            let message = format!("Scaled {direction} replica set {name} from {before} to {after}");
            self.recorder
                .record(COMPONENT, deployment, Kind::Normal, "ScalingReplicaSet", message);
        }
        Ok(())
    }
}

impl Controller for Deployments {
    type Key = Key;

    const NAME: &'static str = "deployment";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(deployment) = self.world.deployments.by_key(key) else {
            return Ok(None);
        };
        let sets = self.owned_sets(&deployment).await?;
        let pods = if is_recreate(&deployment) {
            self.world.pods.namespace(&key.namespace)
        } else {
            Vec::new()
        };
        let plan = plan(Observed {
            deployment: &deployment,
            sets: &sets,
            pods: &pods,
            now: Timestamp::now(),
        });
        for action in &plan.actions {
            self.execute(&deployment, action).await?;
        }
        // It may have been written meanwhile: the status goes onto the newest version.
        let Some(newest) = self.world.deployments.by_key(key) else {
            return Ok(None);
        };
        if newest.metadata.uid == deployment.metadata.uid
            && newest.metadata.generation == deployment.metadata.generation
            && newest.status == deployment.status
            && !(is_dying(&newest.metadata) && newest.status.is_none())
            && let Some(changed) = told(&newest, &plan)
        {
            gone_is_fine(self.world.deployments.replace_status(&changed).await)
                .step("write a deployment's status")?;
        }
        Ok(plan.again)
    }
}

/// The Deployment with its status and revision; none where they stand there already.
fn told(deployment: &Deployment, plan: &Plan) -> Option<Deployment> {
    let revision = plan.actions.iter().find_map(|action| match action {
        Action::SetRevision(revision) => Some(*revision),
        _ => None,
    });
    if revision.is_none() && deployment.status.as_ref() == Some(&plan.status) {
        return None;
    }
    let mut changed = deployment.clone();
    if let Some(revision) = revision {
        let annotations = changed.metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.to_owned(), revision.to_string());
    }
    changed.status = Some(plan.status.clone());
    Some(changed)
}

fn orphan_matches<'a>(
    deployments: &'a [Arc<Deployment>],
    set: &'a ReplicaSet,
) -> impl Iterator<Item = Key> + 'a {
    let matching = deployments
        .iter()
        .filter(move |deployment| selects(&deployment.spec.selector, set));
    matching.map(|deployment| Key::of(&**deployment))
}
