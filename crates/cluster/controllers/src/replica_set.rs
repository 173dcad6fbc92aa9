//! `ReplicaSets`: a number of equal Pods.

pub(crate) mod controller;
pub(crate) mod plan;
