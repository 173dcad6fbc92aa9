//! `ResourceQuotas`: what of them is used. (That nobody exceeds them is the API's own business.)

pub(crate) mod controller;
pub(crate) mod usage;
