//! The file system as a container sees it: the machine's own, or a mount namespace.

use std::{
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::sys;

/// What a container sees. The namespace lives as long as anybody holds this or runs in it.
#[derive(Clone, Default)]
pub(crate) struct View(Option<Arc<OwnedFd>>);

impl View {
    /// A mount namespace, by a descriptor of it.
    pub(super) fn of(namespace: OwnedFd) -> Self {
        Self(Some(Arc::new(namespace)))
    }

    /// The namespace that a child has to enter; none when it is the machine's own.
    pub(super) fn namespace(&self) -> Option<Arc<OwnedFd>> {
        self.0.clone()
    }

    /// Does something that looks at paths as the container sees them. Blocks for as long as that takes.
    pub(super) fn within<T: Send>(&self, look: impl FnOnce() -> T + Send) -> io::Result<T> {
        let Some(namespace) = &self.0 else {
            return Ok(look());
        };
        on_own_thread(|| {
            enter(namespace)?;
            Ok(look())
        })
    }
}

/// Moves the calling thread, which nobody else works on, into a mount namespace.
pub(super) fn enter(namespace: &OwnedFd) -> io::Result<()> {
    sys::mounts::own_folders()?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
    Ok(())
}

/// Runs something on a thread that ends with it: a thread does not come back from a namespace.
pub(super) fn on_own_thread<T: Send>(run: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("mounts".to_owned())
            .spawn_scoped(scope, run)?;
        thread
            .join()
            .map_err(|_| io::Error::other("the thread that looks into a namespace failed"))?
    })
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "View(own)"
        } else {
            "View(machine)"
        })
    }
}

impl PartialEq for View {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

impl Eq for View {}
