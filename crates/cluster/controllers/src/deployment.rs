//! Deployments: `ReplicaSets` for each template, rolled from one to the next.

pub(crate) mod controller;
pub(crate) mod plan;
mod replica_sets;
mod rolling;
mod scaling;
mod status;

#[cfg(test)]
mod tests;
