//! From declarations to the registry's words.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder},
    metrics::MetricType,
    registry::{Metric, Registry},
};
use toolforge_exposition::{Declared, Kind};

/// Registers a metric under what was declared of it.
pub fn register(registry: &mut Registry, family: &Declared, metric: impl Metric) {
    registry.register(family.stem(), family.help, metric);
}

/// Begins a family that is told without being registered.
///
/// # Errors
/// When there is no room for the text, which is never.
pub fn describe<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    family: &Declared,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    let kind = match family.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
    };
    encoder.encode_descriptor(family.stem(), family.help, None, kind)
}
