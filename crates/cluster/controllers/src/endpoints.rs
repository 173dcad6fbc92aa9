//! Endpoints and `EndpointSlices`: where the Pods behind a Service are.

pub(crate) mod controller;
pub(crate) mod legacy;
mod mirror;
pub(crate) mod mirroring;
pub(crate) mod ports;
pub(crate) mod slices;

#[cfg(test)]
mod tests;
