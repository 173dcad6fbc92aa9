//! Why the component does not run.

/// The steps that can fail.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The listener failed.
    #[error("the metrics cannot be served")]
    Serve(#[from] std::io::Error),
    /// The API's authorities, by which its requests are known, cannot be used.
    #[error("the authorities in the ConfigMap kube-system/extension-apiserver-authentication cannot be used")]
    Authorities(#[from] toolforge_pki::PkiError),
}
