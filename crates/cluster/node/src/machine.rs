//! The Node object: what this machine is, that it is ready, and that it is alive.

mod lease;
mod object;

pub(crate) use lease::renew;
pub(crate) use object::{Machine, keep_registered};
