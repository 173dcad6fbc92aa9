//! HTTP/2 with visitors, and without TLS with tools (h2c, with prior knowledge): one connection carries many requests at once. What
//! is spoken is hyper's; here it is bounded, and connections to tools are shared.

pub(crate) mod lanes;
pub(crate) mod tool;
pub(crate) mod visitor;
