//! Certificate requests: approved ones are signed, old ones cleared away.

pub(crate) mod controller;
pub(crate) mod rules;
