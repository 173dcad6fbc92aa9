//! `HorizontalPodAutoscalers`: how many replicas a workload has, by what its Pods use.

mod behavior;
mod conditions;
pub(crate) mod controller;
mod figures;
mod plan;
mod proposal;
mod ratio;
mod readiness;
mod sources;

#[cfg(test)]
mod tests;
