//! The `StatefulSet` controller: carries out `plan.rs` whenever a `StatefulSet` or one of its Pods changes.
//!
//! Claims are made and never deleted: what is stored outlives the set, which is the default retention policy and the only
//! one here.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api, PostParams};

use super::identity::{Version, claims, numbered_pod, revision_of};
use super::plan::{Action, Observed, desired_status, plan};
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::events::Recorder;
use crate::key::Key;
use crate::owner::{is_controlled_by, is_dying};
use crate::pod_maker;
use crate::pod_owner::{owned_pods, queue_of_owners, settled_pods};
use crate::queue::Queue;
use crate::revisions;
use crate::world::World;

const COMPONENT: &str = "statefulset-controller";

/// The controller.
pub(crate) struct StatefulSets {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
}

impl StatefulSets {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue: queue_of_owners(&world.stateful_sets, &world.pods),
        })
    }

    /// Brings the history up to date; the older version and the present one.
    async fn versions(&self, set: &StatefulSet, pods: &[Arc<Pod>]) -> Result<(Version, Version), Failure> {
        let uid = set.metadata.uid.as_deref().unwrap_or_default();
        let mut known = self
            .world
            .revisions
            .namespace(set.metadata.namespace.as_deref().unwrap_or_default());
        known.retain(|revision| is_controlled_by(&revision.metadata, uid));
        let status = set.status.clone().unwrap_or_default();
        let mut live: HashSet<String> = pods.iter().map(|pod| revision_of(pod).to_owned()).collect();
        live.extend(status.current_revision.clone());
        let collisions = status.collision_count.unwrap_or(0);
        let limit = set.spec.revision_history_limit;
        let history = revisions::plan(set, &set.spec.template, &known, limit, collisions, &live);
        let update = if history.create {
            self.world
                .revisions
                .create(&history.update)
                .await
                .step("create a revision")?
        } else if history.renumber {
            self.world
                .revisions
                .replace(&history.update)
                .await
                .step("renumber a revision")?
        } else {
            history.update
        };
        for old in &history.delete {
            self.world
                .revisions
                .delete(old)
                .await
                .step("delete an old revision")?;
        }
        let current = status.current_revision.and_then(|name| version_in(&known, &name));
        let update = Version {
            revision: revisions::name_of(&update).to_owned(),
            template: set.spec.template.clone(),
        };
        Ok((current.unwrap_or_else(|| update.clone()), update))
    }

    async fn execute(
        &self,
        set: &StatefulSet,
        action: &Action,
        versions: &(Version, Version),
    ) -> Result<(), Failure> {
        match action {
            Action::Create { number, updated } => {
                for claim in claims(set, *number) {
                    self.ensure_claim(&claim).await.step("create a volume claim")?;
                }
                let version = if *updated { &versions.1 } else { &versions.0 };
                let pod = numbered_pod(set, version, *number);
                let made = pod_maker::create(&self.world.pods, &self.recorder, COMPONENT, set, &pod).await;
                made.step("create a pod")
            }
            Action::Delete(pod) => {
                let deleted = pod_maker::delete(&self.world.pods, &self.recorder, COMPONENT, set, pod).await;
                deleted.step("delete a pod")
            }
        }
    }

    async fn ensure_claim(&self, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
        let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.world.client.clone(), namespace);
        match api.create(&PostParams::default(), claim).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop),
        }
    }
}

impl Controller for StatefulSets {
    type Key = Key;

    const NAME: &'static str = "statefulset";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(set) = self.world.stateful_sets.by_key(key) else {
            return Ok(None);
        };
        if is_dying(&set.metadata) {
            return Ok(None);
        }
        let pods = settled_pods(&self.world.stateful_sets, &set, &self.world.pods).await?;
        let versions = self.versions(&set, &pods).await?;
        let now = Timestamp::now();
        let observed = Observed {
            set: &set,
            pods: &pods,
            current: &versions.0,
            update: &versions.1,
            now,
        };
        let plan = plan(observed);
        let mut outcome = Ok(());
        for action in &plan.actions {
            outcome = self.execute(&set, action, &versions).await;
            if outcome.is_err() {
                break;
            }
        }
        let pods = owned_pods(&*set, &self.world.pods);
        let status = desired_status(Observed {
            pods: &pods,
            ..observed
        });
        if set.status.as_ref() != Some(&status) {
            let mut changed = (*set).clone();
            changed.status = Some(status);
            gone_is_fine(self.world.stateful_sets.replace_status(&changed).await)
                .step("write a stateful set's status")?;
        }
        outcome.map(|()| plan.again)
    }
}

fn version_in(known: &[Arc<ControllerRevision>], name: &str) -> Option<Version> {
    let revision = known
        .iter()
        .find(|revision| revisions::name_of(revision) == name)?;
    Some(Version {
        revision: name.to_owned(),
        template: revisions::template_of(revision)?,
    })
}
