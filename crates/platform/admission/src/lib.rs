//! The webhook server around the policy: Kubernetes asks it before it stores an object of a tool.
//!
//! HTTPS in, `AdmissionReview` v1 in and out, one path per guard. The verdicts are those of `toolforge-policy`; this
//! crate reads the reviews, finds the tool's account in its namespace, and puts the answer in Kubernetes' words. It
//! must not decide anything itself.

mod accounts;
mod answer;
mod body;
mod bundle;
mod certificate;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grants;
mod guard;
mod json;
mod metrics;
mod pods;
mod registration;
mod review;
mod rights;
mod server;
mod webhooks;

pub use certificate::{AUTHORITIES, AUTHORITY_KEY, DEFAULT_SIGNER, serving};
pub use error::AdmissionError;
pub use metrics::FAMILIES;
pub use registration::{Registration, keep_configurations};
pub use rights::{authority_rules, certificate_rules, service_rules};
pub use server::run;
pub use webhooks::{CONFIGURATION_NAME, ClientConfigBase, EXEMPT_NAMESPACES, Reach, webhook_configurations};
