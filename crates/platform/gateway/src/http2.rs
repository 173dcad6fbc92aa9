//! HTTP/2 without TLS with tools (h2c, with prior knowledge): one connection carries many requests at once. What is
//! spoken is hyper's; here it is bounded, and connections are shared.

pub(crate) mod lanes;
pub(crate) mod tool;
