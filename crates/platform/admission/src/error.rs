//! Why the webhook server does not run.

/// Why the webhook server does not run.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The listener failed.
    #[error("admission cannot serve")]
    Serve(#[from] std::io::Error),
}
