//! Mount namespaces: what a thread does to its own view of the file system, and to mounts that nobody sees yet.
//!
//! `process::mounts` calls it, on threads that it starts for nothing else.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Gives the calling thread a root and a working folder of its own, as whoever enters a mount namespace must have.
pub(crate) fn own_folders() -> io::Result<()> {
    // SAFETY: only FILES would take descriptors away from other threads.
    unsafe { unshare_unsafe(UnshareFlags::FS) }.map_err(Into::into)
}

/// Gives the calling thread a copy of its mount namespace, and folders of its own with it.
pub(crate) fn own_namespace() -> io::Result<()> {
    // SAFETY: as above.
    unsafe { unshare_unsafe(UnshareFlags::FS | UnshareFlags::NEWNS) }.map_err(Into::into)
}

/// Attributes of a mount, `MOUNT_ATTR_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes(u64);

impl Attributes {
    /// Nothing can be written through it.
    pub(crate) const READ_ONLY: Self = Self(libc::MOUNT_ATTR_RDONLY);
    /// What lies there is nobody's way to another user or to a device.
    pub(crate) const PLAIN: Self = Self(libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV);
}

/// Sets attributes of a mount, and with `recursive` those of all mounts below it.
pub(crate) fn set(mount: BorrowedFd<'_>, attributes: Attributes, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: attributes.0,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a static string that ends in zero; the kernel reads one structure of the size given, which
    // is on this stack.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
