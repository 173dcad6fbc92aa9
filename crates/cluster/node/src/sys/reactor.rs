//! Descriptors that tokio watches.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Has a descriptor watched; within a tokio runtime.
pub(crate) fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is an open descriptor, always tells the same number, and closes when it is dropped and not
    // before; only the `AsyncFd` has it, which gives out shared references alone.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}
