//! Jobs: Pods that run to an end, counted exactly once each.

mod backoff;
pub(crate) mod controller;
mod counts;
pub(crate) mod facts;
mod failure_policy;
mod finish;
mod indexes;
pub(crate) mod orphans;
mod plan;
mod pod;
mod report;
mod tracking;

#[cfg(test)]
mod tests;
