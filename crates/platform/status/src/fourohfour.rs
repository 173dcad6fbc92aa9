//! The pages that answer for what is not there: unknown tools, tools without a webservice, tools that do not answer.
//!
//! A small server behind the gateway, its default backend. It knows the tools from their namespaces and keeps the
//! last list it has seen, so that it goes on answering when the API is gone. It must not tell a visitor anything that
//! is not public: which tools there are, and who maintains them.

mod figures;
mod known;
mod near;
mod page;
mod render;
mod server;
mod tools;

pub use figures::FOUROHFOUR_FAMILIES;
pub use page::{Page, Subject, Visit, page};
pub use server::{Config, FourohfourError, run_fourohfour};
pub use tools::Tools;
