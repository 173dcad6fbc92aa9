//! How long a Job waits before it replaces a failed Pod: ten seconds, and twice as long after each further failure.
//! Pure. Told from the Pods that are there and not from memory, so that a restart forgets nothing.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;

use super::facts::{earlier_failures, finished_at, has_failed};
use crate::pod::Pod;
use crate::pods::phase;

/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// What is left at `now` of the pause after the failures since the last success.
pub(crate) fn remaining<'a>(
    job: &Job,
    pods: impl Iterator<Item = &'a Pod> + Clone,
    now: Timestamp,
) -> Duration {
    let last_success = pods
        .clone()
        .filter(|pod| phase(pod) == "Succeeded")
        .map(finished_at)
        .max();
    let failures: Vec<Timestamp> = pods
        .filter(|pod| has_failed(job, pod))
        .map(finished_at)
        .filter(|failed| last_success.is_none_or(|success| *failed > success))
        .collect();
    let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
    failures
        .into_iter()
        .max()
        .map_or(Duration::ZERO, |last| rest(count, last, now))
}

/// What is left at `now` of the pause of the index whose last Pod is `failed`.
pub(crate) fn remaining_of_index(failed: &Pod, now: Timestamp) -> Duration {
    let (counted, ignored) = earlier_failures(failed);
    let count = counted.saturating_add(ignored).saturating_add(1);
    rest(count, finished_at(failed), now)
}

fn rest(failures: u32, last: Timestamp, now: Timestamp) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
    // A failure in the future, by a clock that was set back, pauses no longer than one of this moment.
    let passed = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    pause.saturating_sub(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_ten_minutes() {
        let start = Timestamp::UNIX_EPOCH;
        for (failures, seconds) in [(1, 10), (2, 20), (3, 40), (7, 600), (40, 600), (u32::MAX, 600)] {
            assert_eq!(
                rest(failures, start, start),
                Duration::from_secs(seconds),
                "{failures}"
            );
        }
        let later = Timestamp::from_second(15).expect("a time");
        assert_eq!(rest(2, start, later), Duration::from_secs(5));
        assert_eq!(rest(1, start, later), Duration::ZERO);
        assert_eq!(rest(1, later, start), Duration::from_secs(10));
    }
}
