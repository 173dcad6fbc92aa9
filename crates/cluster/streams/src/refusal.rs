//! Why a connection does not come about: before the upgrade, or after it.

use std::io;

/// Why a request is not upgraded; to be answered with this code and text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status code.
    pub code: u16,
    /// The reason, as Kubernetes words it.
    pub message: String,
}

impl Refusal {
    /// 400: the request makes no sense.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self {
            code: 400,
            message: message.into(),
        }
    }

    /// 403: client and server have no protocol in common.
    pub(crate) fn no_common_protocol(client: &[&str], server: &[&str]) -> Self {
        Self {
            code: 403,
            message: format!(
                "unable to upgrade: unable to negotiate protocol: client supports [{}], server accepts [{}]",
                client.join(" "),
                server.join(" ")
            ),
        }
    }
}

/// Why no streams come of an upgraded connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// HTTP did not hand the connection over.
    #[error("the connection was not handed over")]
    Upgrade(#[from] hyper::Error),
    /// The codec for headers could not be set up.
    #[error("the header codec cannot be set up")]
    Codec(#[source] io::Error),
    /// The client did not open its streams in time.
    #[error("timed out waiting for client to create streams")]
    TimeOut,
    /// The client opened a stream that makes no sense.
    #[error("invalid stream type {0:?}")]
    StreamType(String),
    /// The client went away first.
    #[error("the client went away before it opened its streams")]
    Gone,
}
