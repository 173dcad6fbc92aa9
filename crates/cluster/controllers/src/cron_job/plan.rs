//! What a `CronJob` needs next: a Job to start, Jobs to end or to forget, and its status. Pure; the time is a value.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job};
use toolforge_kinds::cron::{Schedule, time_zone};

use super::job;
use super::starts::{Missed, Times};
use crate::events::Kind;
use crate::job::facts::{end_of, holding};
use crate::owner::is_dying;

/// What is known when planning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    /// The `CronJob`.
    pub(crate) cron_job: &'a CronJob,
    /// Its specification.
    pub(crate) spec: &'a CronJobSpec,
    /// The Jobs that it controls.
    pub(crate) jobs: &'a [Arc<Job>],
    /// The time.
    pub(crate) now: Timestamp,
    /// The zone of schedules that name none.
    pub(crate) local: &'a TimeZone,
}

/// What to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The status to be, before anything is started.
    pub(crate) status: CronJobStatus,
    /// The start that is due.
    pub(crate) start: Option<Start>,
    /// Ended Jobs that history has no place for.
    pub(crate) forget: Vec<Arc<Job>>,
    /// Events to record.
    pub(crate) notes: Vec<Note>,
    /// When to look again though nothing changes.
    pub(crate) again: Option<Duration>,
}

/// A start.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// When it was due.
    pub(crate) at: Timestamp,
    /// The Job to make.
    pub(crate) job: Box<Job>,
    /// Jobs that have to go first.
    pub(crate) instead_of: Vec<Arc<Job>>,
}

/// An event about the `CronJob`: its kind, its reason, its sentence.
pub(crate) type Note = (Kind, &'static str, String);

/// Plans the next step.
pub(crate) fn plan(observed: Observed<'_>) -> Plan {
    let mut plan = Plan {
        status: observed.cron_job.status.clone().unwrap_or_default(),
        forget: beyond_history(observed),
        ..Plan::default()
    };
    keep_books(observed, &mut plan);
    if is_dying(&observed.cron_job.metadata) {
        plan.forget.clear();
        return plan;
    }
    if observed.spec.suspend.unwrap_or(false) {
        return plan;
    }
    match times(observed) {
        Ok(times) => plan_start(observed, &times, &mut plan),
        Err(note) => plan.notes.push(note),
    }
    plan
}

/// Brings the list of running Jobs and the last success up to date.
fn keep_books(observed: Observed<'_>, plan: &mut Plan) {
    let mut active = plan.status.active.take().unwrap_or_default();
    for job in observed.jobs {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let listed = active.iter().any(|known| known.uid == job.metadata.uid);
        match end_of(job) {
            None if !listed => {
                let message = format!("Saw a job that the controller did not create or forgot: {name}");
                plan.notes.push((Kind::Warning, "UnexpectedJob", message));
            }
            Some(end) if listed => {
                active.retain(|known| known.uid != job.metadata.uid);
                let message = format!("Saw completed job: {name}, condition: {}", end.type_);
                plan.notes.push((Kind::Normal, "SawCompletedJob", message));
            }
            _ => {}
        }
        let success = holding(job, "Complete")
            .and_then(|_| job.status.as_ref())
            .and_then(|status| status.completion_time.clone());
        if success > plan.status.last_successful_time {
            plan.status.last_successful_time = success;
        }
    }
    active.retain(|known| {
        let there = observed.jobs.iter().any(|job| job.metadata.uid == known.uid);
        if !there {
            let name = known.name.as_deref().unwrap_or_default();
            let message = format!("Active job went missing: {name}");
            plan.notes.push((Kind::Normal, "MissingJob", message));
        }
        there
    });
    plan.status.active = Some(active).filter(|active| !active.is_empty());
}

fn times(observed: Observed<'_>) -> Result<Times, Note> {
    let zone = match &observed.spec.time_zone {
        None => observed.local.clone(),
        Some(name) => time_zone(name).ok_or_else(|| {
            let message = format!("invalid timeZone: {name:?}: unknown time zone {name}");
            (Kind::Warning, "UnknownTimeZone", message)
        })?,
    };
    let text = &observed.spec.schedule;
    let schedule = Schedule::parse(text).map_err(|why| {
        let message = format!("unparseable schedule: {text:?} : {why}");
        (Kind::Warning, "UnparseableSchedule", message)
    })?;
    Ok(Times { schedule, zone })
}

fn plan_start(observed: Observed<'_>, times: &Times, plan: &mut Plan) {
    let Observed {
        cron_job, spec, now, ..
    } = observed;
    let (due, missed) = match times.due(cron_job, now) {
        Ok(found) => found,
        Err(why) => {
            let message = format!("invalid schedule: {} : {why}", spec.schedule);
            plan.notes.push((Kind::Warning, "InvalidSchedule", message));
            return;
        }
    };
    plan.again = times.wait(cron_job, now);
    let Some(at) = due else { return };
    if missed == Missed::Many {
        let message =
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
        plan.notes
            .push((Kind::Warning, "TooManyMissedTimes", message.to_owned()));
    }
    if is_too_late(spec, at, now) {
        let message = format!(
            "Missed scheduled time to start a job: {}",
            at.strftime("%a, %d %b %Y %H:%M:%S +0000")
        );
        plan.notes.push((Kind::Warning, "MissSchedule", message));
        return;
    }
    let active = plan.status.active.clone().unwrap_or_default();
    let name = job::name(cron_job, at);
    let last = plan.status.last_schedule_time.as_ref().map(|time| time.0);
    if last == Some(at) || active.iter().any(|known| known.name.as_ref() == Some(&name)) {
        return;
    }
    let policy = spec.concurrency_policy.as_deref();
    if policy == Some("Forbid") && !active.is_empty() {
        let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
        plan.notes
            .push((Kind::Normal, "JobAlreadyActive", message.to_owned()));
        return;
    }
    let running = observed
        .jobs
        .iter()
        .filter(|job| active.iter().any(|known| known.uid == job.metadata.uid));
    plan.start = Some(Start {
        at,
        job: Box::new(job::desired(cron_job, spec, at, &zone_of(spec))),
        instead_of: running.filter(|_| policy == Some("Replace")).cloned().collect(),
    });
}

/// The zone in which the time of a start is written into its Job.
fn zone_of(spec: &CronJobSpec) -> TimeZone {
    spec.time_zone
        .as_deref()
        .and_then(time_zone)
        .unwrap_or(TimeZone::UTC)
}

fn is_too_late(spec: &CronJobSpec, at: Timestamp, now: Timestamp) -> bool {
    let Some(seconds) = spec.starting_deadline_seconds else {
        return false;
    };
    now.duration_since(at) > SignedDuration::from_secs(seconds)
}

/// Ended Jobs beyond the limits, the oldest first.
fn beyond_history(observed: Observed<'_>) -> Vec<Arc<Job>> {
    let spec = observed.spec;
    let limits = [
        ("Complete", spec.successful_jobs_history_limit),
        ("Failed", spec.failed_jobs_history_limit),
    ];
    let mut beyond = Vec::new();
    for (end, limit) in limits {
        let Some(limit) = limit else { continue };
        let ended = observed
            .jobs
            .iter()
            .filter(|job| holding(job, end).is_some() && !is_dying(&job.metadata));
        let mut ended: Vec<&Arc<Job>> = ended.collect();
        ended.sort_by_key(|job| {
            let started = job.status.as_ref().and_then(|status| status.start_time.clone());
            // A Job that never started is as new as can be.
            Reverse((started.is_none(), started, job.metadata.name.clone()))
        });
        beyond.extend(
            ended
                .into_iter()
                .skip(usize::try_from(limit).unwrap_or(0))
                .rev()
                .cloned(),
        );
    }
    beyond
}
