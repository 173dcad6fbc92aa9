//! The directory's file: read at the start, replaced in one step after every batch of changes.
//!
//! The only part that touches the disk. A change is acknowledged when the new file has its name and both the
//! file and its folder are synced; a crash leaves the old file or the new one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::{entry::Entry, ldif};

/// Only the owner reads the directory: it may hold passwords.
const MODE: u32 = 0o600;

/// The file on disk.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The text of the file; none where there is no file.
    pub(crate) fn load(&self) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts these entries on disk, whole or not at all.
    pub(crate) fn save<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<()> {
        let text = ldif::write(entries);
        let folder = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let temporary = PathBuf::from(name);
        // A leftover of a crash may have another owner or mode: begin with a new file.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        File::open(folder)?.sync_all()
    }
}
