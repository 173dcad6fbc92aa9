//! When a `CronJob` was last due and when it is due next. Pure; the arithmetic is that of Kubernetes, so that the same
//! starts are missed and made up for.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::CronJob;
use toolforge_kinds::cron::Schedule;

/// Missed starts from which on it is worth a warning.
const MANY: i64 = 100;
/// Added to each wait, so that a clock that runs a little fast does not wake us before the time.
const MARGIN: Duration = Duration::from_millis(100);

/// A schedule with its zone.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    /// The schedule.
    pub(crate) schedule: Schedule,
    /// The zone that its hours are of.
    pub(crate) zone: TimeZone,
}

/// How many starts were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    None,
    Few,
    /// So many that something is wrong.
    Many,
}

struct Recent {
    earliest: Timestamp,
    due: Option<Timestamp>,
    missed: Missed,
}

impl Times {
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next_after(after, &self.zone)
    }

    /// The last start that should have been by `now` and after the one before; an error for a schedule without starts.
    pub(crate) fn due(
        &self,
        cron_job: &CronJob,
        now: Timestamp,
    ) -> Result<(Option<Timestamp>, Missed), String> {
        let recent = self.recent(cron_job, now, true)?;
        Ok((recent.due, recent.missed))
    }

    /// How long it is until the next start.
    pub(crate) fn wait(&self, cron_job: &CronJob, now: Timestamp) -> Option<Duration> {
        let from = match self.recent(cron_job, now, false) {
            Ok(Recent { due: Some(due), .. }) => due,
            Ok(Recent {
                missed: Missed::None,
                earliest,
                ..
            }) => earliest,
            _ => now,
        };
        let rest = self.next(from)?.duration_since(now);
        Some(Duration::try_from(rest).unwrap_or_default() + MARGIN)
    }

    fn recent(&self, cron_job: &CronJob, now: Timestamp, with_deadline: bool) -> Result<Recent, String> {
        let earliest = earliest(cron_job, now, with_deadline);
        let none = |missed| Recent {
            earliest,
            due: None,
            missed,
        };
        let too_close = || "time difference between two schedules is less than 1 second".to_owned();
        let first = self.next(earliest).ok_or_else(too_close)?;
        if now < first {
            return Ok(none(Missed::None));
        }
        let second = self.next(first).ok_or_else(too_close)?;
        if now < second {
            return Ok(Recent {
                due: Some(first),
                ..none(Missed::None)
            });
        }
        let between = second.duration_since(first).as_secs().max(1);
        let number = now.duration_since(first).as_secs() / between + 1;
        // A little before the last one, as far as the first two tell: from there the schedule itself is asked.
        let jump = SignedDuration::from_secs(number.saturating_sub(2).saturating_mul(between));
        let mut due = None;
        let mut next = self.next(first.saturating_add(jump).unwrap_or(first));
        while let Some(start) = next.filter(|start| *start <= now) {
            due = Some(start);
            next = self.next(start);
        }
        let missed = if number > MANY { Missed::Many } else { Missed::Few };
        Ok(Recent { due, ..none(missed) })
    }
}

/// The moment after which starts count.
fn earliest(cron_job: &CronJob, now: Timestamp, with_deadline: bool) -> Timestamp {
    let status = cron_job.status.as_ref();
    let last = status.and_then(|status| status.last_schedule_time.as_ref());
    let created = cron_job.metadata.creation_timestamp.as_ref();
    let earliest = last.or(created).map_or(now, |time| time.0);
    let deadline = cron_job
        .spec
        .starting_deadline_seconds
        .filter(|_| with_deadline)
        .and_then(|seconds| now.checked_sub(SignedDuration::from_secs(seconds)).ok());
    deadline.map_or(earliest, |deadline| earliest.max(deadline))
}
