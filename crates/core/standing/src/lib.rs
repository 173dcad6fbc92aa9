//! What Kubernetes says of Pods that do not serve, and what it means: refusals, containers that wait, processes that ended,
//! Pods without a place to run.
//!
//! `webservice` judges a start by it, with patience and advice; the status pages judge every tool by it, in a sentence for
//! everybody. The words and the patience are theirs: here is only what is meant. It looks at texts and numbers, and at no clock.

mod condition;
mod end;
mod message;
mod refusal;
mod waiting;

pub use condition::{is_refusal, is_unschedulable};
pub use end::End;
pub use message::bare;
pub use refusal::Refusal;
pub use waiting::Waiting;
