//! Every limit and interval that no setting changes, with its reason.

use std::time::Duration;

/// The pause after the system refused a connection, as it does when out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes that are moved at once in each direction of a connection.
pub(crate) const BUFFER_BYTES: usize = 16 * 1024;

/// The longest line that the answer to a check over HTTP may begin with, in bytes.
pub(crate) const STATUS_LINE_BYTES: usize = 1024;
