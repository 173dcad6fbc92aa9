//! Puts one container's mounts into their places; on the thread that has entered its namespace.

use std::{
    ffi::OsString,
    fs, io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, fstat, open},
    mount::{MoveMountFlags, move_mount},
};

use super::{
    mirror::{copy, mirror},
    source::{is_folder, make_file, make_folders, open_inside, open_safely},
};
use crate::{
    runtime::{Mount, MountSource},
    sys::{
        child::Credentials,
        mounts::{Attributes, set},
    },
};

/// What folders on the way to a mount point are open to.
const FOLDER_MODE: u32 = 0o755;

/// Something mounted, in which later mounts may need places.
#[derive(Debug)]
struct Layer {
    at: PathBuf,
    /// What new mount points are made in; none where they would appear on the machine.
    ours: Option<(OwnedFd, u64)>,
}

/// A namespace that is being furnished.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    user: Option<&'a Credentials>,
    layers: Vec<Layer>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(user: Option<&'a Credentials>) -> Self {
        let layers = Vec::new();
        Self { user, layers }
    }

    /// Mounts one thing; says why not in words that follow a colon.
    pub(super) fn place(&mut self, mount: &Mount) -> Result<(), String> {
        let source = open_source(mount)?;
        let ours = matches!(mount.source, MountSource::Folder(_));
        let folder = is_folder(&source).map_err(|error| error.to_string())?;
        let at = self.mount_point(&mount.path, folder)?;
        let attached = attributes(&source, mount, !ours).and_then(|tree| {
            let to = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS;
            move_mount(&tree, "", rustix::fs::CWD, &at, to)?;
            let device = fstat(&source)?.st_dev;
            Ok(Layer {
                at,
                ours: (ours && folder).then_some((source, device)),
            })
        });
        self.layers.push(attached.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Where to mount: the place itself, made when it is not there, and then only for this container.
    fn mount_point(&mut self, path: &Path, folder: bool) -> Result<PathBuf, String> {
        let (existing, missing) = split(path)?;
        if missing.is_empty() {
            if existing.is_dir() == folder {
                return Ok(existing);
            }
            let [is, wants] = if folder {
                ["no folder", "a folder"]
            } else {
                ["a folder", "a file"]
            };
            return Err(format!("the place is {is}, the volume is {wants}"));
        }
        if !existing.is_dir() {
            return Err(format!("{} is no folder", existing.display()));
        }
        let device = fs::metadata(&existing).map_err(|error| error.to_string())?.dev();
        if !self.has_place(&existing, device) {
            self.check_loss(&existing, path)?;
            let mirror = mirror(&existing)?;
            let device = fstat(&mirror).map_err(|error| error.to_string())?.st_dev;
            let (at, ours) = (existing.clone(), Some((mirror, device)));
            self.layers.push(Layer { at, ours });
        }
        let wanted: PathBuf = missing.iter().collect();
        let made = self.make(&existing, &wanted, folder);
        made.map_err(|error| format!("the mount point cannot be made: {error}"))?;
        Ok(existing.join(wanted))
    }

    /// The mount that a folder belongs to, if the node made it.
    fn layer(&self, existing: &Path) -> Option<&Layer> {
        let around = self.layers.iter().filter(|layer| existing.starts_with(&layer.at));
        // The last of those at one place covers the others.
        around.max_by_key(|layer| layer.at.components().count())
    }

    fn has_place(&self, existing: &Path, device: u64) -> bool {
        let ours = self.layer(existing).and_then(|layer| layer.ours.as_ref());
        ours.is_some_and(|(_, own)| *own == device)
    }

    fn make(&self, existing: &Path, wanted: &Path, folder: bool) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let layer = self.layer(existing).ok_or_else(gone)?;
        let (root, _) = layer.ours.as_ref().ok_or_else(gone)?;
        let inside = existing.strip_prefix(&layer.at).unwrap_or(existing).join(wanted);
        let mode = Mode::from_raw_mode(FOLDER_MODE);
        if folder {
            return make_folders(root, &inside, mode).map(drop);
        }
        let parent = make_folders(root, inside.parent().unwrap_or(Path::new("")), mode)?;
        make_file(&parent, Path::new(inside.file_name().ok_or_else(gone)?))
    }

    /// What a container writes into a mirror itself would be gone with it. Where it can write, that must not happen.
    fn check_loss(&self, folder: &Path, wanted: &Path) -> Result<(), String> {
        let Some(user) = self.user.filter(|user| user.uid != 0) else {
            return Ok(());
        };
        let data = fs::metadata(folder).map_err(|error| error.to_string())?;
        let mode = data.mode();
        let own = data.uid() == user.uid && mode & 0o200 != 0;
        let group = (data.gid() == user.gid || user.groups.contains(&data.gid())) && mode & 0o020 != 0;
        let sticky = mode & 0o1000 != 0;
        if own || ((group || mode & 0o002 != 0) && !sticky) {
            return Err(format!(
                "it does not exist, and the container may write to {}: make {} first, or mount the volume elsewhere",
                folder.display(),
                wanted.display()
            ));
        }
        Ok(())
    }
}

fn open_source(mount: &Mount) -> Result<OwnedFd, String> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = match &mount.source {
        MountSource::Folder(path) => open(path, flags, Mode::empty()).map_err(io::Error::from),
        MountSource::Host(path) => open_safely(path),
    };
    let root = root.map_err(|error| error.to_string())?;
    match mount.sub_path.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => open_inside(&root, path).map_err(|error| {
            format!(
                "failed to prepare subPath for volumeMount \"{}\": {error}",
                mount.volume
            )
        }),
        None => Ok(root),
    }
}

/// The mount of a source, as it may be used.
fn attributes(source: &OwnedFd, mount: &Mount, recursive: bool) -> io::Result<OwnedFd> {
    let tree = copy(source, recursive)?;
    if matches!(mount.source, MountSource::Folder(_)) {
        set(tree.as_fd(), Attributes::PLAIN, false)?;
    }
    if mount.read_only {
        set(tree.as_fd(), Attributes::READ_ONLY, mount.recursive_read_only)?;
    }
    Ok(tree)
}

/// The part of a path that exists, without links, and the rest.
fn split(path: &Path) -> Result<(PathBuf, Vec<OsString>), String> {
    let mut missing = Vec::new();
    let mut existing = path;
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err("mountPath has to be an absolute path without \"..\"".to_owned());
    }
    loop {
        match fs::canonicalize(existing) {
            Ok(found) => {
                missing.reverse();
                return Ok((found, missing));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", existing.display())),
        }
        let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else {
            return Err(format!("{} does not exist", existing.display()));
        };
        missing.push(name.to_owned());
        existing = parent;
    }
}
