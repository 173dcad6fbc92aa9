//! Mount namespaces of containers, with their volumes in their places.
//!
//! All namespaces are made from one that the node keeps for itself ([`Namespaces`]): it is the machine's, and has the
//! memory in addition that Secrets lie in. Nobody else ever sees that memory as a path, and when the node ends in
//! whatever way, it is gone with the last container.
//!
//! What the machine mounts later reaches the containers too; what is mounted in here never reaches the machine. The
//! `runtime` makes a namespace per container that has anything to mount, and no other.

mod mirror;
mod scene;
mod source;

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use rustix::{
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount},
};

use super::view::{View, enter, on_own_thread};
use crate::{
    runtime::{CreateError, Mount},
    sys::{self, child::Credentials},
};
use scene::Scene;

pub(crate) use source::{open_safely, real_path};

/// Where containers leave their last words unless they say otherwise. With an empty file of the machine there, which is
/// nobody's to read or write, a container's own costs one mount, and not one for each device.
const MESSAGE_PLACE: &str = "/dev/termination-log";

/// The calling thread's own mount namespace.
const OWN: &str = "/proc/thread-self/ns/mnt";

/// Makes mount namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    base: OwnedFd,
    /// The root of the memory for Secrets, as nobody can name it.
    memory: OwnedFd,
    /// Where that memory is mounted in the node's namespace.
    memory_at: PathBuf,
}

impl Namespaces {
    /// Makes the node's own namespace; `folder` is made, and in it the place of the memory. Needs root.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let memory_at = folder.canonicalize()?.join("memory");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&memory_at)?;
        let (base, memory) = on_own_thread(|| {
            sys::mounts::own_namespace()?;
            mount_change(
                "/",
                MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
            )?;
            mount(
                "tmpfs",
                &memory_at,
                "tmpfs",
                MountFlags::NOSUID | MountFlags::NODEV,
                c"mode=0700",
            )?;
            Ok((
                OwnedFd::from(File::open(OWN)?),
                OwnedFd::from(File::open(&memory_at)?),
            ))
        })?;
        make_place(Path::new(MESSAGE_PLACE));
        Ok(Self {
            base,
            memory,
            memory_at,
        })
    }

    /// The memory as this process reaches it.
    pub(crate) fn memory_folder(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.memory.as_raw_fd()))
    }

    /// The memory as namespaces have it.
    pub(crate) fn memory_at(&self) -> &Path {
        &self.memory_at
    }

    /// Mounts memory of its own at a folder of the memory; `options` are those of `tmpfs(5)`.
    pub(crate) fn mount_memory(&self, below: &Path, options: &std::ffi::CStr) -> io::Result<()> {
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        self.within(|| {
            Ok(mount(
                "tmpfs",
                self.memory_at.join(below),
                "tmpfs",
                flags,
                options,
            )?)
        })
    }

    /// Takes such memory away again; nothing happens where there is none.
    pub(crate) fn unmount_memory(&self, below: &Path) -> io::Result<()> {
        let place = self.memory_at.join(below);
        self.within(|| {
            loop {
                match unmount(&place, UnmountFlags::DETACH) {
                    // One may cover another.
                    Ok(()) => {}
                    Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
        })
    }

    /// A namespace with these mounts, for a container that runs as `user`. Blocks for about a millisecond.
    pub(super) fn build(&self, mounts: &[Mount], user: Option<&Credentials>) -> Result<View, CreateError> {
        let built = self.within(|| {
            sys::mounts::own_namespace()?;
            mount_change(
                "/",
                MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
            )?;
            let mut scene = Scene::new(user);
            let placed = in_order(mounts)
                .into_iter()
                .try_for_each(|mount| match scene.place(mount) {
                    Err(why) if mount.optional => {
                        tracing::debug!(place = %mount.path.display(), why, "left out");
                        Ok(())
                    }
                    placed => placed.map_err(|why| refusal(mount, &why)),
                });
            // Other Pods' Secrets are nothing to see for whoever can read everything.
            unmount(&self.memory_at, UnmountFlags::DETACH)?;
            let namespace = OwnedFd::from(File::open(OWN)?);
            Ok(placed.map(|()| View::of(namespace)))
        });
        built.unwrap_or_else(|error| {
            Err(CreateError(format!(
                "the container's mount namespace cannot be made: {error}"
            )))
        })
    }

    fn within<T: Send>(&self, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        on_own_thread(|| {
            enter(&self.base)?;
            act()
        })
    }
}

/// Makes an empty file to mount on, where there is nothing.
fn make_place(file: &Path) {
    let made = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o0)
        .open(file);
    if let Err(error) = made.map(drop)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        // Then the folder is mirrored, like any other.
        tracing::debug!(place = %file.display(), %error, "no place for termination messages");
    }
}

/// Outer mounts before those inside them.
fn in_order(mounts: &[Mount]) -> Vec<&Mount> {
    let mut ordered: Vec<&Mount> = mounts.iter().collect();
    ordered.sort_by_key(|mount| mount.path.components().count());
    ordered
}

fn refusal(mount: &Mount, why: &str) -> CreateError {
    CreateError(format!(
        "volume \"{}\" cannot be mounted at {}: {why}",
        mount.volume,
        mount.path.display()
    ))
}
