//! The `StatefulSet` controller: carries out `plan.rs` whenever a `StatefulSet` or one of its Pods changes.
//!
//! Claims are made and never deleted here: one that does not outlive the set or its Pod is owned by it (`retention.rs`).

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;

use super::identity::{Version, claims, numbered_pod, ordinal, revision_of};
use super::plan::{Action, Observed, desired_status, numbers, plan};
use super::retention::wanted_owners;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::events::Recorder;
use crate::kept::MANAGER;
use crate::key::Key;
use crate::owner::{is_controlled_by, is_dying};
use crate::pod::Pod;
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

    /// Makes the owners of the claims those that the retention policy wants.
    async fn own_claims(&self, set: &StatefulSet, pods: &[Arc<Pod>]) -> Result<(), Failure> {
        if set.spec.volume_claim_templates.as_ref().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let all = self.world.others.all();
        let known = all.iter().find(|(kind, _)| kind.is("", "PersistentVolumeClaim"));
        let Some((_, known)) = known else { return Ok(()) };
        for pod in pods {
            let Some(number) = ordinal(set, pod) else { continue };
            let surplus = !numbers(set).contains(&number);
            for claim in claims(set, number) {
                let Some(present) = known.by_key(&Key::of(&claim)) else {
                    continue;
                };
                let owners = present.metadata.owner_references.as_deref().unwrap_or_default();
                if let Some(owners) = wanted_owners(set, pod, surplus, owners) {
                    self.write_owners(&present.metadata, &owners).await?;
                }
            }
        }
        Ok(())
    }

    async fn write_owners(&self, claim: &ObjectMeta, owners: &[OwnerReference]) -> Result<(), Failure> {
        let namespace = claim.namespace.as_deref().unwrap_or_default();
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.world.client.clone(), namespace);
        // An empty list is written as none at all.
        let owners = Some(owners).filter(|owners| !owners.is_empty());
        let metadata = json!({
            "uid": claim.uid, "resourceVersion": claim.resource_version, "ownerReferences": owners,
        });
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        let name = claim.name.as_deref().unwrap_or_default();
        let written = api.patch(name, &PatchParams::apply(MANAGER), &patch).await;
        gone_is_fine(written).step("write a claim's owners").map(drop)
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
        self.own_claims(&set, &pods).await?;
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
