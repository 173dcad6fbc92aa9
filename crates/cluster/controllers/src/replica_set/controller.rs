//! The `ReplicaSet` controller: as many Pods as wanted, and the truth about them in the status.
//!
//! A refusal by the API (quota, webhook, `LimitRange`) becomes the condition `ReplicaFailure` with the API's own words, from
//! which `webservice start` tells the maintainer; then it is tried again, sooner if a quota of the namespace changes.

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1;

use super::plan::{Difference, Trouble, desired_status, plan};
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine, text_of};
use crate::events::Recorder;
use crate::key::Key;
use crate::owner::controlled_by;
use crate::pod_maker;
use crate::pod_owner::{owned_pods, queue_of_owners, settled_pods};
use crate::queue::Queue;
use crate::template::{PodName, desired_pod};
use crate::world::World;

const COMPONENT: &str = "replicaset-controller";

/// The controller.
pub(crate) struct ReplicaSets {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
}

impl ReplicaSets {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        let queue = queue_of_owners(&world.replica_sets, &world.pods);
        let (add, sets) = (Arc::clone(&queue), world.replica_sets.clone());
        world.quotas.on_change(move |change| {
            for quota in change.sides() {
                let namespace = quota.metadata.namespace.as_deref().unwrap_or_default();
                sets.namespace(namespace)
                    .iter()
                    .filter(|set| is_in_trouble(set))
                    .for_each(|set| add.add(Key::of(&**set)));
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue,
        })
    }

    /// Makes or deletes Pods; the refusal that stopped it, if any.
    async fn execute(&self, set: &ReplicaSet, difference: Difference) -> Result<(), (Trouble, Failure)> {
        let (reason, step, result) = match difference {
            Difference::None => return Ok(()),
            Difference::Create(missing) => {
                let pods = vec![new_pod(set); missing];
                let result =
                    pod_maker::create_all(&self.world.pods, &self.recorder, COMPONENT, set, pods).await;
                ("FailedCreate", "create pods", result)
            }
            Difference::Delete(surplus) => {
                let deletions = surplus
                    .iter()
                    .map(|pod| pod_maker::delete(&self.world.pods, &self.recorder, COMPONENT, set, pod));
                (
                    "FailedDelete",
                    "delete pods",
                    join_all(deletions).await.into_iter().collect(),
                )
            }
        };
        result.map_err(|source| {
            let trouble = Trouble {
                reason,
                message: text_of(&source),
            };
            (trouble, Failure { step, source })
        })
    }
}

impl Controller for ReplicaSets {
    type Key = Key;

    const NAME: &'static str = "replicaset";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(set) = self.world.replica_sets.by_key(key) else {
            return Ok(None);
        };
        let owned = settled_pods(&self.world.replica_sets, &set, &self.world.pods).await?;
        let difference = match plan(&set, &owned) {
            Difference::Create(_) if self.world.is_ending(&key.namespace) => Difference::None,
            difference => difference,
        };
        let outcome = self.execute(&set, difference).await;
        let trouble = outcome.as_ref().err().map(|(trouble, _)| trouble);
        let (status, again) = desired_status(
            &set,
            &owned_pods(&*set, &self.world.pods),
            trouble,
            Timestamp::now(),
        );
        if set.status.as_ref() != Some(&status) {
            let mut changed = (*set).clone();
            changed.status = Some(status);
            let written = gone_is_fine(self.world.replica_sets.replace_status(&changed).await);
            // The refusal is the more telling error of the two.
            if outcome.is_ok() {
                written.step("write a replica set's status")?;
            }
        }
        outcome.map(|()| again).map_err(|(_, failure)| failure)
    }
}

fn new_pod(set: &ReplicaSet) -> v1::Pod {
    let template = set.spec.template.clone().unwrap_or_default();
    let prefix = format!("{}-", set.metadata.name.as_deref().unwrap_or_default());
    let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
    desired_pod(&template, namespace, PodName::Prefix(prefix), controlled_by(set))
}

fn is_in_trouble(set: &ReplicaSet) -> bool {
    let conditions = set
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition.type_.as_deref() == Some("ReplicaFailure"))
}
