//! How much of the nodes that run tools was in use over the last day, in stretches as long as the bars of the charts. Pure.

use std::collections::VecDeque;

use crate::board::{
    traffic::{BUCKET_SECONDS, BUCKETS},
    usage::Amount,
};

/// What was in use, as it was measured.
#[derive(Debug, Default)]
pub(crate) struct Load(VecDeque<Stretch>);

#[derive(Debug)]
struct Stretch {
    /// Seconds since 1970.
    start: i64,
    measurements: i64,
    sum: Amount,
}

impl Load {
    /// Takes in what is in use at a time, in seconds since 1970, which is not before that of the last time.
    pub(crate) fn take(&mut self, now: i64, used: Amount) {
        let start = now - now.rem_euclid(BUCKET_SECONDS);
        if self.0.back().is_none_or(|last| last.start < start) {
            self.0.push_back(Stretch {
                start,
                measurements: 0,
                sum: Amount::default(),
            });
        }
        if let Some(last) = self.0.back_mut() {
            last.measurements += 1;
            last.sum.cpu_millis = last.sum.cpu_millis.saturating_add(used.cpu_millis);
            last.sum.memory_bytes = last.sum.memory_bytes.saturating_add(used.memory_bytes);
        }
        let oldest = start - (BUCKETS - 1) * BUCKET_SECONDS;
        while self.0.front().is_some_and(|stretch| stretch.start < oldest) {
            self.0.pop_front();
        }
    }

    /// The means of a day's stretches up to now, oldest first; none where nothing was measured.
    pub(crate) fn day(&self, now: i64) -> Vec<Option<Amount>> {
        let first = now - now.rem_euclid(BUCKET_SECONDS) - (BUCKETS - 1) * BUCKET_SECONDS;
        let mut day: Vec<Option<Amount>> = (0..BUCKETS).map(|_| None).collect();
        for stretch in &self.0 {
            let at = usize::try_from((stretch.start - first).div_euclid(BUCKET_SECONDS)).ok();
            if let Some(mean) = at.and_then(|at| day.get_mut(at)) {
                *mean = Some(Amount {
                    cpu_millis: stretch.sum.cpu_millis / stretch.measurements.max(1),
                    memory_bytes: stretch.sum.memory_bytes / stretch.measurements.max(1),
                });
            }
        }
        day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(cpu_millis: i64) -> Amount {
        Amount {
            cpu_millis,
            memory_bytes: 2 * cpu_millis,
        }
    }

    #[test]
    fn each_stretch_has_its_mean_and_a_day_is_kept() {
        let mut load = Load::default();
        for (now, cpu) in [(600, 100), (1199, 300), (1800, 7)] {
            load.take(now, amount(cpu));
        }
        let day = load.day(1800);
        assert_eq!(day.len(), 144);
        assert_eq!(day[141..], [Some(amount(200)), None, Some(amount(7))]);
        load.take(600 + BUCKETS * BUCKET_SECONDS, amount(1));
        assert_eq!(load.0.len(), 2, "the first is older than a day");
        assert_eq!(load.day(10 * BUCKETS * BUCKET_SECONDS), vec![None; 144]);
    }
}
