//! The `CronJob` controller: carries out `plan.rs` when a `CronJob` or a Job of it changes, and when a start is due.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, CronJobStatus, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::job::reference;
use super::plan::{Observed, Start, plan};
use crate::controller::{Again, Controller, Failure, Step, gone_is_fine, text_of};
use crate::events::{Kind, Recorder};
use crate::key::Key;
use crate::owner::{controller_of, is_controlled_by};
use crate::queue::Queue;
use crate::world::World;

const COMPONENT: &str = "cronjob-controller";

/// The controller.
pub(crate) struct CronJobs {
    world: Arc<World>,
    recorder: Recorder,
    queue: Arc<Queue<Key>>,
    /// The machine's own zone, which schedules without one are of.
    local: TimeZone,
}

impl CronJobs {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>, recorder: &Recorder) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world
            .cron_jobs
            .on_change(move |change| change.sides().for_each(|cron_job| add.add(Key::of(&**cron_job))));
        let add = Arc::clone(&queue);
        world.jobs.on_change(move |change| {
            for job in change.sides() {
                if let Some(owner) = controller_of(&job.metadata).filter(|owner| owner.kind == "CronJob") {
                    let namespace = job.metadata.namespace.clone().unwrap_or_default();
                    add.add(Key::new(namespace, owner.name.clone()));
                }
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            recorder: recorder.clone(),
            queue,
            local: TimeZone::system(),
        })
    }

    fn note(&self, cron_job: &CronJob, kind: Kind, reason: &'static str, message: String) {
        self.recorder.record(COMPONENT, cron_job, kind, reason, message);
    }

    async fn delete(&self, cron_job: &CronJob, job: &Job) -> Result<(), Failure> {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let deleted = self.world.jobs.delete(job).await;
        match &deleted {
            Ok(()) => self.note(
                cron_job,
                Kind::Normal,
                "SuccessfulDelete",
                format!("Deleted job {name}"),
            ),
            Err(error) => {
                let message = format!("Deleted job: {}", text_of(error));
                self.note(cron_job, Kind::Warning, "FailedDelete", message);
            }
        }
        deleted.step("delete a job")
    }

    /// Makes the Job that is due and writes it into `status`.
    async fn start(
        &self,
        cron_job: &CronJob,
        start: Start,
        status: &mut CronJobStatus,
    ) -> Result<(), Failure> {
        let active = status.active.get_or_insert_default();
        for job in &start.instead_of {
            self.delete(cron_job, job).await?;
            active.retain(|known| known.uid != job.metadata.uid);
        }
        let job = match self.world.jobs.create(&start.job).await {
            Ok(job) => {
                let message = format!("Created job {}", job.metadata.name.as_deref().unwrap_or_default());
                self.note(cron_job, Kind::Normal, "SuccessfulCreate", message);
                job
            }
            Err(kube::Error::Api(answer)) if answer.is_already_exists() => {
                match self.made_before(cron_job, &start.job).await? {
                    Some(job) => job,
                    // Somebody else's, who keeps the books of it.
                    None => return Ok(()),
                }
            }
            Err(error) => {
                let message = format!("Error creating job: {}", text_of(&error));
                self.note(cron_job, Kind::Warning, "FailedCreate", message);
                return Err(error).step("create a job");
            }
        };
        if active.iter().all(|known| known.uid != job.metadata.uid) {
            active.push(reference(&job));
        }
        status.last_schedule_time = Some(Time(start.at));
        Ok(())
    }

    /// The Job of that start, made by an attempt that got no further.
    async fn made_before(&self, cron_job: &CronJob, job: &Job) -> Result<Option<Job>, Failure> {
        let uid = cron_job.metadata.uid.as_deref().unwrap_or_default();
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let api = self.world.jobs.api(namespace_of(cron_job));
        let there = gone_is_fine(api.get(name).await).step("read a job")?;
        Ok(there.filter(|there| is_controlled_by(&there.metadata, uid)))
    }

    async fn write(&self, cron_job: &CronJob, mut status: CronJobStatus) -> Result<(), Failure> {
        status.active = status.active.filter(|active| !active.is_empty());
        if cron_job.status.clone().unwrap_or_default() == status {
            return Ok(());
        }
        let mut changed = cron_job.clone();
        changed.status = Some(status);
        gone_is_fine(self.world.cron_jobs.replace_status(&changed).await)
            .step("write a cron job's status")
            .map(drop)
    }

    fn jobs_of(&self, cron_job: &CronJob) -> Vec<Arc<Job>> {
        let uid = cron_job.metadata.uid.as_deref().unwrap_or_default();
        let mut jobs = self.world.jobs.claimable(namespace_of(cron_job), uid);
        jobs.retain(|job| is_controlled_by(&job.metadata, uid));
        jobs
    }
}

impl Controller for CronJobs {
    type Key = Key;

    const NAME: &'static str = "cronjob";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(cron_job) = self.world.cron_jobs.by_key(key) else {
            return Ok(None);
        };
        let jobs = self.jobs_of(&cron_job);
        let mut plan = plan(Observed {
            cron_job: &cron_job,
            spec: &cron_job.spec,
            jobs: &jobs,
            now: Timestamp::now(),
            local: &self.local,
        });
        for (kind, reason, message) in plan.notes {
            self.note(&cron_job, kind, reason, message);
        }
        let started = match plan.start {
            Some(start) if !self.world.is_ending(&key.namespace) => {
                self.start(&cron_job, start, &mut plan.status).await
            }
            _ => Ok(()),
        };
        self.write(&cron_job, plan.status).await?;
        started?;
        for job in &plan.forget {
            self.delete(&cron_job, job).await?;
        }
        Ok(plan.again)
    }
}

fn namespace_of(cron_job: &CronJob) -> &str {
    cron_job.metadata.namespace.as_deref().unwrap_or_default()
}
