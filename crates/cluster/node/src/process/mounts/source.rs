//! Opens what is to be mounted, without following links that a tool may have planted.
//!
//! The node is root and a mount opens doors that permissions on the way would have kept shut. So links count only
//! where root made them, and what is opened in the end is the very thing that was looked at.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fchmod, fstat, mkdirat, openat, openat2},
    io::Errno,
    process::geteuid,
};

/// Most links on the way to a path, as the kernel has it.
const LINKS: usize = 40;

/// A path without links: those of root are followed, any other is refused. What does not exist ends the way.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut real = PathBuf::from("/");
    let mut left: Vec<_> = parts(path).into_iter().rev().collect();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        let data = match fs::symlink_metadata(&next) {
            Ok(data) => data,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                real = next;
                continue;
            }
            Err(error) => return Err(error),
        };
        if !data.file_type().is_symlink() {
            real = next;
            continue;
        }
        links += 1;
        // Without root nobody but the node itself is protected by this, and its own links are as good.
        let trusted = data.uid() == 0 || data.uid() == geteuid().as_raw();
        if !trusted || links > LINKS {
            return Err(io::Error::other(format!(
                "{} is a link that is not followed: only links of root are",
                next.display()
            )));
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        left.extend(parts(&target).into_iter().rev());
    }
    Ok(real)
}

fn parts(path: &Path) -> Vec<std::ffi::OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// Opens a path of the machine to mount it or look at it.
pub(crate) fn open_safely(path: &Path) -> io::Result<OwnedFd> {
    let real = real_path(path)?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(openat2(
        CWD,
        &real,
        flags,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS,
    )?)
}

/// Opens something inside a volume, and makes it as a folder when it is not there, with the volume's own mode.
pub(super) fn open_inside(volume: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    match open_beneath(volume, Path::new(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let mode = Mode::from_raw_mode(fstat(volume)?.st_mode);
    make_folders(volume, Path::new(path), mode)
}

/// Links may lead around inside the volume, as those of `ConfigMap` keys do, never out of it.
fn open_beneath(volume: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(openat2(volume, path, flags, Mode::empty(), resolve)?)
}

/// Makes a path of folders below another and opens the last. No link is followed.
pub(super) fn make_folders(below: &OwnedFd, path: &Path, mode: Mode) -> io::Result<OwnedFd> {
    let mut folder = below.try_clone()?;
    for part in parts(path) {
        let is_new = match mkdirat(&folder, &part, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = openat(&folder, &part, flags, Mode::empty())?;
        if is_new {
            fchmod(&next, mode)?;
        }
        folder = next;
    }
    Ok(folder)
}

/// Makes an empty file for something to be mounted on.
pub(super) fn make_file(folder: &OwnedFd, name: &Path) -> io::Result<()> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::from_raw_mode(0o644))?;
    Ok(())
}

/// Whether an open thing is a folder.
pub(super) fn is_folder(thing: impl AsFd) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(fstat(thing)?.st_mode) == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("folder")
    }

    fn open(path: &Path) -> OwnedFd {
        fs::File::open(path).expect("open").into()
    }

    #[test]
    fn a_path_that_ends_in_nothing_stays_as_it_is() {
        let path = Path::new("/no/../no/./such");
        assert_eq!(real_path(path).expect("path"), Path::new("/no/such"));
    }

    #[test]
    fn links_of_root_are_followed_and_those_of_others_are_not() {
        if !geteuid().is_root() {
            println!("skipped: giving files away needs root");
            return;
        }
        let folder = folder();
        let link = folder.path().join("link");
        symlink("/usr", &link).expect("link");
        assert_eq!(real_path(&link.join("bin")).expect("path"), Path::new("/usr/bin"));
        std::os::unix::fs::lchown(&link, Some(1234), None).expect("given away");
        let refused = real_path(&link.join("bin")).expect_err("a planted link");
        assert!(refused.to_string().contains("only links of root"), "{refused}");
        assert!(open_safely(&link).is_err());
    }

    #[test]
    fn nothing_outside_of_a_volume_is_reached_from_inside() {
        let folder = folder();
        fs::create_dir(folder.path().join("in")).expect("folder");
        symlink("in", folder.path().join("well")).expect("link");
        symlink("/etc", folder.path().join("out")).expect("link");
        symlink("../..", folder.path().join("up")).expect("link");
        let volume = open(folder.path());
        assert!(open_inside(&volume, "well").is_ok());
        for path in ["out", "up", "out/hosts", "../x", "up/x"] {
            assert!(open_inside(&volume, path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_missing_inside_a_volume_is_made_with_its_mode() {
        let folder = folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("mode");
        open_inside(&open(folder.path()), "a/b").expect("made");
        let mode = fs::metadata(folder.path().join("a/b"))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o777);
    }
}
