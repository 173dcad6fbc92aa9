//! File work in folders that belong to somebody else: no link is followed, nothing is seen half-written.
//!
//! A [`Folder`] is an open descriptor; every step goes from one descriptor to the next by one name, with
//! `O_NOFOLLOW`, so what a tool swaps in the meantime is refused or is its own. Used by `home.rs`, which knows
//! what is written; this file knows only how. Blocking: call it off the async threads.
//!
//! A process may be paused between any two steps and go on when another replica has done the same work. So each step that
//! changes something is asked for at the fence first, not only the first one; what an attempt made that is refused in the middle is cleared
//! away. A step that was let through and is made late harms nothing: before the other replica replaces something it clears away what
//! could still be renamed into its place ([`Folder::sweep`]).

use std::{
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, Uid},
    io::Errno,
};

use crate::election::Fence;

mod error;
mod lock;
#[cfg(test)]
mod tests;

pub(crate) use error::FileError;

/// Whom new files belong to; as an ordinary user all files are ours, and stay so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    /// Whether nobody else can make anything in it.
    is_ours: bool,
    /// What each change passes.
    fence: Fence,
}

/// How a temporary name begins; a crash may leave one behind, and the next attempt clears it away: [`Folder::temporary`],
/// [`Folder::sweep`].
const TEMPORARY: &str = ".toolforge-new-";

const FOLDER_FLAGS: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::RDONLY);

impl Folder {
    /// Opens a folder of the operator's, by any path, for changes while the fence is open.
    pub(crate) fn open_root(path: &Path, fence: &Fence) -> Result<Self, FileError> {
        let flags = FOLDER_FLAGS.difference(OFlags::NOFOLLOW);
        let fd = fs::open(path, flags, Mode::empty()).map_err(|errno| FileError::of("open", path, errno))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
            is_ours: true,
            fence: fence.clone(),
        })
    }

    /// Where it is, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder in it; none where there is nothing of this name.
    pub(crate) fn open(&self, name: &str) -> Result<Option<Self>, FileError> {
        match fs::openat(&self.fd, name, FOLDER_FLAGS, Mode::empty()) {
            Ok(fd) => Ok(Some(Self {
                fd,
                path: self.path.join(name),
                is_ours: false,
                fence: self.fence.clone(),
            })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => Err(self.in_the_way(name, "no folder, or a symbolic link")),
            Err(errno) => Err(self.error("open", name, errno)),
        }
    }

    /// Opens a folder in it, made first where there is none. What exists keeps its owner and mode.
    pub(crate) fn ensure(&self, name: &str, mode: u32, owner: Option<Owner>) -> Result<Self, FileError> {
        if let Some(found) = self.open(name)? {
            return Ok(found);
        }
        self.make(name, mode, owner, |_| Ok(()))?;
        self.open(name)?
            .ok_or_else(|| self.error("open", name, Errno::NOENT))
    }

    /// Makes a folder that appears whole: with its content, owner and mode, under its name in one step.
    pub(crate) fn make(
        &self,
        name: &str,
        mode: u32,
        owner: Option<Owner>,
        fill: impl FnOnce(&Self) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        self.fence.pass()?;
        let temporary = self.temporary(name)?;
        fs::mkdirat(&self.fd, &temporary, Mode::RWXU).map_err(|errno| self.error("make", name, errno))?;
        let outcome = self
            .open(&temporary)
            .and_then(|folder| folder.ok_or_else(|| self.error("open", name, Errno::NOENT)))
            .and_then(|folder| {
                fill(&folder)?;
                folder
                    .give(mode, owner)
                    .map_err(|errno| self.error("set owner and mode of", name, errno))?;
                fs::fsync(&folder.fd).map_err(|errno| self.error("sync", name, errno))?;
                self.place_new(&temporary, name)
            });
        if outcome.is_err() {
            let _ = self.remove_tree(&temporary);
        }
        outcome
    }

    /// Gives the folder to its owner; one that is somebody's already stays theirs.
    fn give(&self, mode: u32, owner: Option<Owner>) -> Result<(), Errno> {
        chown(&self.fd, owner)?;
        fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
    }

    /// Renames, but not over anything; file systems that cannot promise that get a plain rename, which does
    /// not replace a folder with something in it either.
    fn place_new(&self, from: &str, to: &str) -> Result<(), FileError> {
        self.fence.pass()?;
        let placed = match fs::renameat_with(&self.fd, from, &self.fd, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => fs::renameat(&self.fd, from, &self.fd, to),
            other => other,
        };
        placed.map_err(|errno| self.error("make", to, errno))?;
        self.sync()
    }

    /// The content of a plain file; none where there is nothing of this name.
    pub(crate) fn read(&self, name: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, FileError> {
        // Not blocking: a tool may have planted a pipe that nobody writes to.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(self.in_the_way(name, "a symbolic link")),
            Err(errno) => return Err(self.error("read", name, errno)),
        };
        let stat = fs::fstat(&fd).map_err(|errno| self.error("read", name, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.in_the_way(name, "not a plain file"));
        }
        // Nearly always it is as large as it says, and one reading is all.
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit_bytes) + 1).unwrap_or_default());
        let limited = std::fs::File::from(fd)
            .take(limit_bytes + 1)
            .read_to_end(&mut bytes);
        limited.map_err(|source| self.error("read", name, source))?;
        if bytes.len() as u64 > limit_bytes {
            return Err(FileError::TooLarge {
                path: self.path.join(name),
                limit_bytes,
            });
        }
        Ok(Some(bytes))
    }

    /// Puts a file in the place of whatever has this name, a link included, in one step.
    pub(crate) fn write(
        &self,
        name: &str,
        bytes: &[u8],
        mode: u32,
        owner: Option<Owner>,
    ) -> Result<(), FileError> {
        self.fence.pass()?;
        let temporary = self.temporary(name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, &temporary, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.error("write", name, errno))?;
        let written = self.fill(fd, name, bytes, mode, owner);
        self.replace(written, &temporary, name)
    }

    /// Gives a file or link that was made under a temporary name its own, in the place of whatever has it; what was not made whole, or may
    /// not be placed, is cleared away.
    fn replace(&self, made: Result<(), FileError>, temporary: &str, name: &str) -> Result<(), FileError> {
        let placed = made.and_then(|()| {
            self.fence.pass()?;
            fs::renameat(&self.fd, temporary, &self.fd, name)
                .map_err(|errno| self.error("replace", name, errno))
        });
        if placed.is_err() {
            let _ = fs::unlinkat(&self.fd, temporary, AtFlags::empty());
            return placed;
        }
        self.sync()
    }

    fn fill(
        &self,
        fd: OwnedFd,
        name: &str,
        bytes: &[u8],
        mode: u32,
        owner: Option<Owner>,
    ) -> Result<(), FileError> {
        chown(&fd, owner)
            .and_then(|()| fs::fchmod(&fd, Mode::from_raw_mode(mode)))
            .map_err(|errno| self.error("set owner and mode of", name, errno))?;
        let mut file = std::fs::File::from(fd);
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|source| self.error("write", name, source))
    }

    /// Whether there is a plain file of this name.
    pub(crate) fn is_file(&self, name: &str) -> bool {
        fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Removes a file, or a link and not what it points to; nothing is wrong where there is none.
    pub(crate) fn remove_file(&self, name: &str) -> Result<(), FileError> {
        self.fence.pass()?;
        match fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => self.sync(),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.error("remove", name, errno)),
        }
    }

    /// What a link of this name says; none where there is no link.
    pub(crate) fn link_text(&self, name: &str) -> Result<Option<String>, FileError> {
        match fs::readlinkat(&self.fd, name, Vec::new()) {
            Ok(text) => Ok(text.into_string().ok()),
            // Nothing of this name, or something that is no link.
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(errno) => Err(self.error("read", name, errno)),
        }
    }

    /// Puts a link in the place of whatever file has this name, in one step.
    pub(crate) fn link(&self, name: &str, to: &str, owner: Option<Owner>) -> Result<(), FileError> {
        self.fence.pass()?;
        let temporary = self.temporary(name)?;
        fs::symlinkat(to, &self.fd, &temporary).map_err(|errno| self.error("link", name, errno))?;
        let given = owner.map_or(Ok(()), |owner| {
            let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
            fs::chownat(
                &self.fd,
                &temporary,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )
        });
        let made = given.map_err(|errno| self.error("link", name, errno));
        self.replace(made, &temporary, name)
    }

    /// Who owns the folder.
    pub(crate) fn owner(&self) -> Result<u32, FileError> {
        fs::fstat(&self.fd)
            .map(|stat| stat.st_uid)
            .map_err(|errno| FileError::of("look at", &self.path, errno))
    }

    /// The names in it.
    pub(crate) fn names(&self) -> Result<Vec<String>, FileError> {
        let list = || -> Result<Vec<String>, Errno> {
            let mut names = Vec::new();
            for entry in fs::Dir::read_from(&self.fd)? {
                names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
            }
            Ok(names)
        };
        list().map_err(|errno| FileError::of("list", &self.path, errno))
    }

    /// Removes a folder of ours that is not used any more, with its files. What cannot be removed stays: it harms nobody.
    pub(crate) fn remove_old(&self, name: &str) -> Result<(), FileError> {
        self.fence.pass()?;
        self.remove_tree(name)
    }

    /// Removes a folder of ours with its files, or a file or link; as far as that is possible.
    fn remove_tree(&self, name: &str) -> Result<(), FileError> {
        if let Some(folder) = FileError::forgive(self.open(name))?.flatten() {
            for inner in FileError::forgive(folder.names())?.unwrap_or_default() {
                if inner != "." && inner != ".." {
                    FileError::forgive(folder.unlink(&inner))?;
                }
            }
        }
        FileError::forgive(self.unlink(name))?;
        Ok(())
    }

    /// Removes a file, a link, or an empty folder.
    fn unlink(&self, name: &str) -> Result<(), FileError> {
        let file = fs::unlinkat(&self.fd, name, AtFlags::empty());
        let gone = file.or_else(|errno| match errno {
            // It is a folder; POSIX has the second word for that.
            Errno::ISDIR | Errno::PERM => fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR),
            errno => Err(errno),
        });
        gone.map_err(|errno| self.error("remove", name, errno))
    }

    /// Under which name something is made that will have this one. In a folder of the operator's, which may have thousands of
    /// others in it, it is always the same, and what an attempt that was killed left there is cleared away; elsewhere nobody
    /// can guess it, and so nobody can take it beforehand.
    fn temporary(&self, name: &str) -> Result<String, FileError> {
        if self.is_ours {
            let temporary = format!("{TEMPORARY}{name}");
            self.remove_tree(&temporary)?;
            Ok(temporary)
        } else {
            Ok(format!("{TEMPORARY}{:016x}", rand::random::<u64>()))
        }
    }

    /// Clears away what attempts that were killed left in a folder of a tool's: half-made folders and files, with a key in them
    /// maybe. An attempt of somebody else that is still going on fails then, and is made again.
    pub(crate) fn sweep(&self) -> Result<(), FileError> {
        let names = self.names()?;
        for left in names.iter().filter(|name| name.starts_with(TEMPORARY)) {
            self.fence.pass()?;
            self.remove_tree(left)?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), FileError> {
        fs::fsync(self.fd.as_fd()).map_err(|errno| FileError::of("sync", &self.path, errno))
    }

    fn in_the_way(&self, name: &str, what: &'static str) -> FileError {
        FileError::InTheWay {
            path: self.path.join(name),
            what,
        }
    }

    fn error(&self, step: &'static str, name: &str, source: impl Into<std::io::Error>) -> FileError {
        FileError::of(step, &self.path.join(name), source)
    }
}

fn chown(fd: &OwnedFd, owner: Option<Owner>) -> Result<(), Errno> {
    owner.map_or(Ok(()), |owner| {
        fs::fchown(fd, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
    })
}
