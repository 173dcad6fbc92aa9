//! The admission chain of the built-in API: who else has a say in a write, and what they change.
//!
//! The API server asks [`Chain::mutate`] before it validates an object and [`Chain::validate`] before it stores it. In
//! the chain stand the life cycle of namespaces, service accounts, priorities, mutating webhooks, limit ranges, pod security levels, validating webhooks and quota. The
//! verdicts of the built-in links are pure functions over objects that a [`World`] gives; only the webhook client
//! talks to the network; it also asks those who convert users' kinds ([`Converter`]). The chain never writes an object, and knows nothing of who may do what by RBAC.

mod amounts;
mod annotations;
mod attributes;
mod chain;
mod conversion;
mod lifecycle;
mod limits;
mod observer;
mod pod;
mod pod_security;
mod priority;
mod quota;
mod rights;
mod selector;
mod service_account;
mod webhook;
mod world;

pub use amounts::Amounts;
pub use annotations::Annotations;
pub use attributes::{Attributes, Operation, User};
pub use chain::Chain;
pub use conversion::{ConversionError, ConversionWebhook, Converter};
pub use observer::{Observer, WebhookCall};
pub use quota::usage_of;
pub use selector::selects;
pub use toolforge_cel::{Decision, Question};
#[cfg(fuzzing)]
pub use webhook::fuzzing;
pub use webhook::{NoAddress, addresses_behind};
pub use world::World;
