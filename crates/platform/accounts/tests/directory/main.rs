//! The directory's side of the account service, against Debian's slapd and against the embedded server: the same cases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
mod servers;
mod slapd;
