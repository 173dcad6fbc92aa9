//! The scheduler: which node a Pod goes to.

pub(crate) mod affinity;
pub(crate) mod controller;
pub(crate) mod figures;
pub(crate) mod fit;
mod ledger;
pub(crate) mod resources;
