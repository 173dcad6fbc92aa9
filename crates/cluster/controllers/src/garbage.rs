//! Garbage collection: objects whose owners are gone go too, and owners wait for or let go of what they own.

pub(crate) mod controller;
pub(crate) mod graph;
pub(crate) mod plan;
