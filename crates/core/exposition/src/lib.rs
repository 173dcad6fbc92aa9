//! Prometheus' text format (version 0.0.4): figures declared by every component, written by the node and by the metrics
//! component, and read by the latter.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>. Pure; who asks and who answers
//! is the caller's affair.

mod declared;
mod page;
mod sample;

pub use declared::{Declared, Label, table, undeclared};
pub use page::{Kind, Page, write_sample};
pub use sample::{BrokenLine, Sample, samples};

/// The media type of a page.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
