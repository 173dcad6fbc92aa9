//! Every limit and interval of registrations, with its reason.

use std::time::Duration;

/// The longest line of the protocol, in bytes: a pattern, or the URL of an address; the original's clients send fewer than 40.
pub(crate) const LINE_BYTES: usize = 512;

/// How long a client of the lines may take from its connection to its last line. It sends all of them at once.
pub(crate) const DIALOGUE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to close after its answer, so that the answer is not lost to a reset.
pub(crate) const PARTING_TIMEOUT: Duration = Duration::from_secs(1);

/// How long ident may take, all in all: it runs on the machine that just connected to us.
pub(crate) const IDENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer of ident, in bytes (RFC 1413, section 4).
pub(crate) const IDENT_REPLY_BYTES: usize = 1000;

/// Connections over which lines come at once, and of one address: a grid that starts again after an outage comes in waves
/// of hundreds, and its clients try again.
pub(crate) const LINE_CONNECTIONS: usize = 256;
/// See [`LINE_CONNECTIONS`].
pub(crate) const LINE_CONNECTIONS_OF_ONE: usize = 32;

/// Connections to the API, and to the list.
pub(crate) const API_CONNECTIONS: usize = 256;

/// The longest body of a request to the API, in bytes: three short fields.
pub(crate) const BODY_BYTES: usize = 4096;

/// The longest claim, in bytes.
pub(crate) const CLAIM_BYTES: usize = 256;

/// Registrations of one tool: more than anybody has webservices.
pub(crate) const OF_ONE_TOOL: usize = 16;
/// Registrations of all tools: each costs the table and the file some hundred bytes.
pub(crate) const OF_ALL: usize = 20_000;

/// Checks at once: each is a socket.
pub(crate) const CHECKS: usize = 64;

/// Failed checks in a row after which a webservice is taken for dead: one may be a lost packet, or a server that begins to
/// listen after it was registered, as all of the original do.
pub(crate) const FAILURES_OF_THE_DEAD: u32 = 3;

/// When a new registration is checked first: most begin to listen right after.
pub(crate) const FIRST_CHECK: Duration = Duration::from_secs(2);

/// The longest line in which a checked server may tell its status, in bytes.
pub(crate) const STATUS_LINE_BYTES: usize = 1024;

/// The pause after the system refused a connection, as it does when out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
