//! The Node object: what this machine is, that it is ready, and that it is alive; and what the machine uses.

mod lease;
mod load;
mod object;

pub(crate) use lease::renew;
pub(crate) use load::{Interface, Load};
pub(crate) use object::{Machine, keep_registered};
