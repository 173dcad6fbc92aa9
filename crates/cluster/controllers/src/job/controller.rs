//! The Job controller: carries out `plan.rs` and writes down `report.rs` whenever a Job or one of its Pods changes.

use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::counts::Observed;
use super::facts::{TRACKING, end_of, is_managed_elsewhere};
use super::finish::time_left;
use super::plan::{Action, plan};
use super::pod;
use super::report::{Report, report};
use super::tracking::release;
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::events::Recorder;
use crate::key::Key;
use crate::pod::Pod;
use crate::pod_maker;
use crate::pod_owner::{PodOwner, owned_pods, queue_of_owners, settled_pods};
use crate::queue::Queue;
use crate::world::World;

const COMPONENT: &str = "job-controller";

impl PodOwner for Job {
    const FINALIZER: Option<&'static str> = Some(TRACKING);

    fn selector(&self) -> Option<&LabelSelector> {
        self.spec.as_ref()?.selector.as_ref()
    }
}

/// The controller.
pub(crate) struct Jobs {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
}

impl Jobs {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue: queue_of_owners(&world.jobs, &world.pods),
        })
    }

    async fn execute(&self, job: &Job, action: Action) -> Result<(), Failure> {
        match action {
            Action::Rest => Ok(()),
            Action::Create(_) if self.world.is_ending(namespace_of(job)) => Ok(()),
            Action::Create(new) => {
                let pods = new.iter().map(|new| pod::desired(job, new)).collect();
                let made = pod_maker::create_all(&self.world.pods, &self.recorder, COMPONENT, job, pods);
                made.await.step("create pods")
            }
            Action::Remove(pods) => {
                let removed = join_all(pods.iter().map(|pod| self.remove(job, pod))).await;
                removed.into_iter().collect()
            }
            Action::End(pods) => {
                let ended = join_all(pods.iter().map(|pod| self.delete(job, pod))).await;
                ended.into_iter().collect()
            }
        }
    }

    /// Lets go of a Pod and deletes it: without the finalizer, it is never counted.
    async fn remove(&self, job: &Job, pod: &Pod) -> Result<(), Failure> {
        release(&self.world.pods, pod).await?;
        self.delete(job, pod).await
    }

    async fn delete(&self, job: &Job, pod: &Pod) -> Result<(), Failure> {
        let deleted = pod_maker::delete(&self.world.pods, &self.recorder, COMPONENT, job, pod);
        deleted.await.step("delete a pod")
    }

    /// Writes the status; only then may the Pods that are noted in it lose their finalizer.
    async fn write_down(&self, job: &Job, report: Report) -> Result<(), Failure> {
        if job.status.as_ref() != Some(&report.status) {
            let mut changed = job.clone();
            changed.status = Some(report.status);
            let written = gone_is_fine(self.world.jobs.replace_status(&changed).await);
            if written.step("write a job's status")?.is_none() {
                return Ok(());
            }
        }
        for note in report.notes {
            self.recorder
                .record(COMPONENT, job, note.kind, note.reason, note.message);
        }
        let released = report.release.iter().map(|pod| release(&self.world.pods, pod));
        join_all(released).await.into_iter().collect()
    }

    async fn advance(&self, job: &Job, spec: &JobSpec) -> Result<Again, Failure> {
        let pods = settled_pods(&self.world.jobs, job, &self.world.pods).await?;
        let observed = Observed {
            job,
            spec,
            pods: &pods,
            now: Timestamp::now(),
        };
        let (action, again) = plan(observed);
        let executed = self.execute(job, action).await;
        let pods = owned_pods(job, &self.world.pods);
        let now = Timestamp::now();
        let observed = Observed {
            pods: &pods,
            now,
            ..observed
        };
        self.write_down(job, report(observed)).await?;
        executed.map(|()| again.into_iter().chain(time_left(observed)).min())
    }
}

impl Controller for Jobs {
    type Key = Key;

    const NAME: &'static str = "job";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(job) = self.world.jobs.by_key(key) else {
            return Ok(None);
        };
        match &job.spec {
            Some(spec) if end_of(&job).is_none() && !is_managed_elsewhere(&job) => {
                self.advance(&job, spec).await
            }
            _ => Ok(None),
        }
    }
}

fn namespace_of(job: &Job) -> &str {
    job.metadata.namespace.as_deref().unwrap_or_default()
}
