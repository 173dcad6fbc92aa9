//! Admission webhooks: which are asked, how, and what their answers mean.
//!
//! Definitions, matching, conditions and reviews are pure; `call` and `pool` talk to the network; `dispatch` puts them together.

mod call;
mod conditions;
mod definition;
mod denial;
mod dispatch;
#[cfg(fuzzing)]
pub mod fuzzing;
mod matching;
mod mutation;
mod pool;
mod review;
mod target;

pub(crate) use call::{CallError, Callee, Caller};
pub(crate) use definition::ClientConfig;
pub(crate) use dispatch::Dispatcher;
pub(crate) use mutation::Mutation;
pub use target::{NoAddress, addresses_behind};
