//! Figures of several runs: medians, and how far the runs lie apart.

use std::time::Duration;

/// One quantity, once per run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figure(Vec<f64>);

impl Figure {
    /// Nothing measured yet.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the value of a run.
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The median of the runs; none when nothing was measured.
    pub(crate) fn median(&self) -> Option<f64> {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied()
    }

    /// The least and the greatest value.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let sorted = self.sorted();
        Some((*sorted.first()?, *sorted.last()?))
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// A duration in milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The value below which this share of the durations lies; zero when there are none. Sorts them.
pub(crate) fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    let index = durations.len() * percent / 100;
    durations
        .get(index.min(durations.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// What was measured, or a dash.
pub(crate) fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), shown)
}

/// A value with as many digits as are worth reading.
pub(crate) fn shown(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles_are_values_that_were_measured() {
        let mut figure = Figure::default();
        assert_eq!(figure.median(), None);
        for value in [3.0, 1.0, 2.0] {
            figure.add(value);
        }
        assert_eq!((figure.median(), figure.range()), (Some(2.0), Some((1.0, 3.0))));
        let mut durations: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut durations, 50), Duration::from_millis(101));
        assert_eq!(percentile(&mut durations, 99), Duration::from_millis(199));
        assert_eq!(percentile(&mut [], 99), Duration::ZERO);
    }
}
