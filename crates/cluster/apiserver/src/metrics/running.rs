//! A request or stream that counts as under way until it ends.

use prometheus_client::metrics::gauge::Gauge;

/// Counts one more while it is there.
#[derive(Debug)]
pub(crate) struct Running(Gauge);

impl Running {
    pub(super) fn begin(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
