//! Certificates through the cluster's own API for certificate requests, and the authorities by which they are known.
//!
//! The account service asks here for the certificates of tools, the admission server for its own. Keys are made here and
//! go to the caller only. It must not know what a certificate is used for.

mod authorities;
mod error;
mod issue;
mod renewal;
mod serving;

pub use authorities::Authorities;
pub use error::IssueError;
pub use issue::{Request, issue};
pub use serving::{RENEWED_AFTER, Serving, present};
