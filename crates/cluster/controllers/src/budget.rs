//! `PodDisruptionBudgets`: how many of their Pods may be evicted now.

pub(crate) mod controller;
mod plan;

#[cfg(test)]
mod tests;
