//! Why the API could not be opened or run.

/// The steps of opening and running that can fail.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The files of the store could not be opened or read.
    #[error("cannot open the object store in {folder}")]
    Store {
        /// The folder from the configuration.
        folder: std::path::PathBuf,
        /// What the database says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificates of the configuration do not work together.
    #[error("cannot use the certificates of the API")]
    Certificates(#[from] toolforge_pki::PkiError),
    /// An object that every cluster has could not be written.
    #[error("cannot create {object}: {message}")]
    Bootstrap {
        /// Its kind and name.
        object: String,
        /// The API's own words.
        message: String,
    },
    /// The listener failed.
    #[error("cannot serve the API")]
    Serve(#[from] std::io::Error),
}
