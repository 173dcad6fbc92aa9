//! The audit log: who asked what, when, and with what result, as `audit.k8s.io/v1` events in a file, one a line.
//!
//! Off until the roof opens one. A policy says how much is written of which requests. Whatever it says, of Secrets and
//! tokens nothing is written but that somebody asked.
//! Source: <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>.

mod event;
mod file;
mod policy;
mod stream;

use std::path::PathBuf;

pub(crate) use event::{Asked, Audited};
use file::Lines;
use policy::Policy;

/// Why there is no audit log.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The policy is none.
    #[error("the audit policy cannot be read: {0}")]
    Policy(String),
    /// The file cannot be written.
    #[error("the audit log {path} cannot be opened")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// An open audit log.
#[derive(Debug)]
pub struct AuditLog {
    policy: Policy,
    lines: Lines,
}

impl AuditLog {
    /// Opens the log at `path` (0600, made when it is not there). `policy` is the text of an `audit.k8s.io/v1` `Policy`;
    /// without one, all requests are written with their metadata, but for leases. From 100 MB on the file is renamed to
    /// `path.1` and a new one begun; ten old ones are kept.
    ///
    /// # Errors
    /// When the policy is none, or the file cannot be opened.
    pub fn open(path: PathBuf, policy: Option<&str>) -> Result<Self, AuditError> {
        let policy = match policy {
            Some(text) => Policy::read(text).map_err(AuditError::Policy)?,
            None => Policy::default(),
        };
        let lines = Lines::open(path.clone()).map_err(|source| AuditError::File { path, source })?;
        Ok(Self { policy, lines })
    }
}
