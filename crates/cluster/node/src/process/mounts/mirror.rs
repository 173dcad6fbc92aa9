//! A folder of a container's own that shows what a folder of the machine holds: a place for mount points that the
//! machine does not have.
//!
//! Everything in the folder stays what it is - files, folders and sockets are bound, links are copied -, but new names
//! appear only here. What the machine adds to the folder itself later is not seen in it.

use std::{
    ffi::{CString, OsStr},
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, mkdirat, open, openat, readlinkat, symlinkat},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
        fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
    },
    process::{chroot, fchdir},
};

use super::source;

/// Most entries of a folder that is mirrored: each is a mount.
const ENTRIES: usize = 4096;

/// Covers a folder with its mirror and opens that.
pub(super) fn mirror(folder: &Path) -> Result<OwnedFd, String> {
    let names = names(folder)?;
    let covered = cover(folder, &names);
    covered.map_err(|error| format!("{} cannot be mirrored: {error}", folder.display()))
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .take(ENTRIES + 1)
        .collect();
    if names.len() > ENTRIES {
        let folder = folder.display();
        return Err(format!(
            "the folder does not exist, and {folder} has more than {ENTRIES} entries: make the folder first"
        ));
    }
    Ok(names)
}

fn cover(folder: &Path, names: &[std::ffi::OsString]) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let original = open(folder, flags, Mode::empty())?;
    let data = fs::metadata(folder)?;
    let memory = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let options = [
        ("mode", format!("{:o}", data.mode() & 0o7777)),
        ("uid", data.uid().to_string()),
        ("gid", data.gid().to_string()),
    ];
    for (name, value) in options {
        fsconfig_set_string(&memory, name, CString::new(value)?)?;
    }
    fsconfig_create(&memory)?;
    let mirror = fsmount(&memory, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    move_mount(&mirror, "", CWD, folder, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    for name in names {
        match show(&original, name, &mirror) {
            // It went away since it was listed.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if folder == Path::new("/") {
        // Whoever enters the namespace finds the topmost mount at its root; this thread has to go there.
        fchdir(&mirror)?;
        chroot(".")?;
    }
    Ok(mirror)
}

/// Shows one entry of the original in the mirror.
fn show(original: &OwnedFd, name: &OsStr, mirror: &OwnedFd) -> rustix::io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let entry = openat(original, name, flags, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&entry)?.st_mode) {
        FileType::Symlink => return symlinkat(readlinkat(&entry, "", Vec::new())?, mirror, name),
        FileType::Directory => mkdirat(mirror, name, Mode::RWXU)?,
        _ => source::make_file(mirror, Path::new(name)).map_err(|_| Errno::IO)?,
    }
    attach(&copy(&entry, true)?, mirror, Path::new(name))
}

/// A mount of something open that is nowhere yet, with everything that is mounted below it.
pub(super) fn copy(thing: &OwnedFd, recursive: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    open_tree(thing, "", flags)
}

/// Puts a mount into its place, a path below an open folder.
pub(super) fn attach(mount: &OwnedFd, folder: &OwnedFd, place: &Path) -> rustix::io::Result<()> {
    move_mount(mount, "", folder, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}
