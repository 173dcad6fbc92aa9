//! Files of a tool's home that webservice itself reads and writes. A maintainer may do what they like with
//! their links; where somebody else runs webservice for a tool - root - its links lead nowhere.

use std::{
    io::{self, Read as _, Write as _},
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

use rustix::{
    fd::{AsFd as _, OwnedFd},
    fs::{self, AtFlags, Gid, Mode, OFlags, Uid},
    process::geteuid,
};

/// More than any file of settings has.
const MOST_BYTES: u64 = 1 << 20;
/// How often another name is tried for a temporary file.
const NAMES_TO_TRY: u32 = 16;

/// The files of one home.
#[derive(Debug, Clone)]
pub(crate) struct HomeFiles {
    home: PathBuf,
}

impl HomeFiles {
    pub(crate) fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
        }
    }

    /// The text of a file below the home, or of one that an absolute path names; none if it is not there.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, is not a regular file, or is no text of at most 1 MiB.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Option<String>> {
        let opened = match path
            .strip_prefix(&self.home)
            .or_else(|error| if path.is_absolute() { Err(error) } else { Ok(path) })
        {
            Ok(below) => self.open(below),
            // Whoever names a file elsewhere may read it, or not, as who they are.
            Err(_) => fs::open(path, READ, Mode::empty()),
        };
        let fd = match opened {
            Ok(fd) => fd,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let file = std::fs::File::from(fd);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut text = String::new();
        file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        Ok(Some(text))
    }

    /// Puts a file into the home, whole or not at all: readable by all, and the tool's own.
    pub(crate) fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let home = self.home()?;
        let owner = fs::fstat(&home)?;
        let (temporary, fd) = create_beside(&home, name)?;
        let mut file = std::fs::File::from(fd);
        let written = file.write_all(text.as_bytes()).and_then(|()| {
            if geteuid().as_raw() != owner.st_uid {
                let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
                fs::fchown(&file, Some(uid), Some(gid))?;
            }
            fs::fchmod(&file, Mode::from_raw_mode(0o644))?;
            file.sync_all()?;
            // A link of this name is replaced itself, not what it leads to.
            fs::renameat(&home, &temporary, &home, name)?;
            Ok(())
        });
        if written.is_err() {
            // It is ours; what is left of it disturbs nobody.
            fs::unlinkat(&home, &temporary, AtFlags::empty()).ok();
        }
        written
    }

    fn home(&self) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fs::open(&self.home, flags, Mode::empty())
    }

    fn open(&self, below: &Path) -> rustix::io::Result<OwnedFd> {
        let home = self.home()?;
        if fs::fstat(&home)?.st_uid == geteuid().as_raw() {
            return fs::openat(&home, below, READ, Mode::empty());
        }
        let (folders, name) = (below.parent(), below.file_name());
        let mut folder = home;
        for component in folders.into_iter().flat_map(Path::components) {
            let Component::Normal(name) = component else {
                return Err(rustix::io::Errno::NOENT);
            };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folder = fs::openat(&folder, name, flags, Mode::empty())?;
        }
        let name = name.ok_or(rustix::io::Errno::NOENT)?;
        fs::openat(&folder, name, READ | OFlags::NOFOLLOW, Mode::empty())
    }
}

/// Not waiting for whoever should write into a pipe of that name.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A new file with a name that nobody has.
fn create_beside(folder: &OwnedFd, name: &str) -> io::Result<(String, OwnedFd)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seed = since.map_or(0, |since| since.subsec_nanos()) ^ std::process::id().rotate_left(16);
    for attempt in 0..NAMES_TO_TRY {
        let temporary = format!(".{name}.{:08x}", seed.wrapping_add(attempt));
        match fs::openat(folder.as_fd(), &temporary, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => return Ok((temporary, fd)),
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other(format!("all names beside {name} are taken")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_readable_by_all() {
        let home = tempfile::tempdir().unwrap();
        let files = HomeFiles::new(home.path());
        // What the original left behind blocked it for ever.
        std::fs::write(home.path().join("service.manifest~"), "").unwrap();
        files.replace("service.manifest", "first").unwrap();
        files.replace("service.manifest", "second").unwrap();
        let path = home.path().join("service.manifest");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_is_replaced_and_not_written_through() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = other.path().join("precious");
        std::fs::write(&target, "kept").unwrap();
        symlink(&target, home.path().join("service.manifest")).unwrap();
        HomeFiles::new(home.path())
            .replace("service.manifest", "new")
            .unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
        let path = home.path().join("service.manifest");
        assert!(path.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn what_is_no_file_is_told_and_what_is_missing_is_none() {
        let home = tempfile::tempdir().unwrap();
        let files = HomeFiles::new(home.path());
        std::fs::create_dir(home.path().join("public_html")).unwrap();
        assert!(files.read(Path::new("public_html")).is_err());
        assert_eq!(files.read(Path::new("nothing")).unwrap(), None);
        assert_eq!(files.read(Path::new("nothing/at/all")).unwrap(), None);
        let inside = home.path().join("public_html/service.template");
        std::fs::write(&inside, "type: static").unwrap();
        assert_eq!(files.read(&inside).unwrap().as_deref(), Some("type: static"));
        let large = home.path().join("large");
        std::fs::write(&large, vec![b' '; (1 << 20) + 1]).unwrap();
        assert!(files.read(&large).is_err());
    }

    #[test]
    fn links_of_a_tool_lead_root_nowhere() {
        if !geteuid().is_root() {
            return;
        }
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(other.path().join("secret"), "secret").unwrap();
        let inside = home.path().join("www");
        symlink(other.path(), &inside).unwrap();
        symlink(other.path().join("secret"), home.path().join("service.template")).unwrap();
        std::os::unix::fs::chown(home.path(), Some(52_001), Some(52_001)).unwrap();
        let files = HomeFiles::new(home.path());
        for path in ["service.template", "www/secret", "public_html/../www/secret"] {
            let read = files.read(Path::new(path));
            assert!(!matches!(read, Ok(Some(_))), "{path}");
        }
        files.replace("service.manifest", "x").unwrap();
        let owner = std::fs::metadata(home.path().join("service.manifest")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 52_001);
    }
}
