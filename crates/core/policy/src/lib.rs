//! Verdicts: which Ingress, image, Pod and Service a tool may have, and why not.
//!
//! Pure functions from policy and object to a [`Verdict`] with its reasons as data. The webhook server, the gateway
//! and the command line all ask these same functions, so that what one refuses no other lets through. Nothing here
//! reads a clock, a file or a socket.

mod images;
mod ingress;
mod mutate;
mod pod;
mod service;
mod verdict;
mod workload;

pub use images::{RegistryPolicy, RegistryPolicyError, admit_images};
pub use ingress::{IngressPolicy, IngressPolicyError, admit_ingress};
pub use mutate::{MutationScope, mutate_pod};
pub use pod::{HostPath, PodPolicy, admit_pod};
pub use service::{ServicePolicy, admit_service};
pub use verdict::{Offence, Verdict};
pub use workload::{Workload, WorkloadError};
