//! Ended Jobs that say how long they are to be kept: deleted when that time is over, their Pods first.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;

use crate::controller::{Again, Controller, Failure, Step, gone_is_fine};
use crate::job::facts::end_of;
use crate::key::Key;
use crate::owner::is_dying;
use crate::queue::Queue;
use crate::world::World;

/// The controller; its keys are Jobs.
pub(crate) struct EndedJobs {
    world: Arc<World>,
    queue: Arc<Queue<Key>>,
}

impl EndedJobs {
    /// Registers for changes.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Self> {
        let queue = Arc::new(Queue::new());
        let add = Arc::clone(&queue);
        world.jobs.on_change(move |change| {
            if let Some(job) = change.new.filter(|job| kept_until(job).is_some()) {
                add.add(Key::of(&**job));
            }
        });
        Arc::new(Self {
            world: Arc::clone(world),
            queue,
        })
    }
}

impl Controller for EndedJobs {
    type Key = Key;

    const NAME: &'static str = "ttl-after-finished";

    fn queue(&self) -> &Queue<Key> {
        &self.queue
    }

    async fn reconcile(&self, key: &Key) -> Result<Again, Failure> {
        let Some(job) = self.world.jobs.by_key(key) else {
            return Ok(None);
        };
        match time_of(&job, Timestamp::now()) {
            Time::Unlimited => return Ok(None),
            Time::Left(rest) => return Ok(Some(rest)),
            Time::Over => {}
        }
        // The time may have been set anew a moment ago: the Job is read once more before it is deleted.
        let read = self.world.jobs.api(&key.namespace).get(&key.name).await;
        if let Some(job) = gone_is_fine(read).step("read a job")?
            && time_of(&job, Timestamp::now()) == Time::Over
        {
            let deleted = self.world.jobs.delete_foreground(&job).await;
            deleted.step("delete an ended job")?;
        }
        Ok(None)
    }
}

/// How much time a Job has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    /// All there is: it has not ended, or nobody limits its time.
    Unlimited,
    /// That much.
    Left(Duration),
    /// None.
    Over,
}

/// When the Job is to go, if it has ended and says so.
fn kept_until(job: &Job) -> Option<Timestamp> {
    let seconds = job.spec.as_ref()?.ttl_seconds_after_finished?;
    if is_dying(&job.metadata) {
        return None;
    }
    let ended = end_of(job)?.last_transition_time.as_ref()?.0;
    ended
        .checked_add(SignedDuration::from_secs(i64::from(seconds)))
        .ok()
}

fn time_of(job: &Job, now: Timestamp) -> Time {
    let Some(end) = kept_until(job) else {
        return Time::Unlimited;
    };
    match Duration::try_from(end.duration_since(now)) {
        Ok(rest) if !rest.is_zero() => Time::Left(rest),
        _ => Time::Over,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(ttl: Option<u32>, conditions: &Value) -> Job {
        let job = json!({
            "spec": {"ttlSecondsAfterFinished": ttl, "template": {}}, "status": {"conditions": conditions},
        });
        serde_json::from_value(job).expect("a job")
    }

    #[test]
    fn only_ended_jobs_with_a_limit_go_and_only_when_it_is_over() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let ended = |kind: &str| json!([{"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let cases = vec![
            (job(Some(60), &ended("Complete")), Time::Over),
            (job(Some(0), &ended("Failed")), Time::Over),
            (
                job(Some(90), &ended("Failed")),
                Time::Left(Duration::from_secs(30)),
            ),
            (job(Some(0), &ended("FailureTarget")), Time::Unlimited),
            (job(None, &ended("Complete")), Time::Unlimited),
            (job(Some(0), &json!([])), Time::Unlimited),
        ];
        for (job, expected) in cases {
            assert_eq!(time_of(&job, now), expected, "{job:?}");
        }
    }
}
