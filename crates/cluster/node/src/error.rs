//! Why the node could not start or go on.

use std::{io, path::PathBuf};

use toolforge_pki::PkiError;

/// What stops the node. Everything about one Pod is the Pod's affair and ends in its status instead.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The state folder cannot be used.
    #[error("the node cannot use its folder {folder}")]
    State {
        /// The folder.
        folder: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The node's certificate or authority cannot be used.
    #[error("the certificates of the node cannot be used")]
    Certificates(#[from] PkiError),
    /// The thread that starts processes could not be started.
    #[error("the thread that starts containers could not be started")]
    Spawner(#[source] io::Error),
    /// The node's API stopped serving.
    #[error("the node's API failed")]
    Serve(#[source] io::Error),
}
