//! The directory on disk: a file with all entries, and beside it a journal of what changed since that was written.
//!
//! The only part that touches the disk. A change is acknowledged when it is in the journal and that is synced, so it
//! costs what belongs to it and not a look at all entries. From time to time, and at every start, the journal goes into
//! the file: the new file takes the old one's name in one step, and only then the journal is emptied. A crash between
//! the two does no harm, for the journal says what entries *are*: taken in again, it changes nothing.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::{entry::Entry, journal, ldif, tree::Changed};

/// Only the owner reads the directory: it may hold passwords.
const MODE: u32 = 0o600;

/// A journal of less than this is never worth a new file.
const LEAST_WORTH_BYTES: u64 = 1 << 20;

/// The files on disk.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    /// The journal, from its first change on.
    journal: Option<File>,
    journal_bytes: u64,
    file_bytes: u64,
    /// Whether the journal ends in something that could not be taken back: the next change writes a new file.
    spoiled: bool,
}

impl Store {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            journal: None,
            journal_bytes: 0,
            file_bytes: 0,
            spoiled: false,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal is.
    pub(crate) fn journal_path(&self) -> PathBuf {
        beside(&self.path, ".journal")
    }

    /// Whether anything is in the journal that is not in the file.
    pub(crate) fn has_journal(&self) -> bool {
        self.journal_bytes > 0
    }

    /// The text of the file; none where there is no file.
    pub(crate) fn load(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.path)
    }

    /// The text of the journal; empty where there is none.
    pub(crate) fn load_journal(&self) -> io::Result<Vec<u8>> {
        Ok(read(&self.journal_path())?.unwrap_or_default())
    }

    /// Puts these entries on disk, whole or not at all, and empties the journal.
    pub(crate) fn save<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<()> {
        let text = ldif::write(entries);
        let temporary = beside(&self.path, ".new");
        let mut file = fresh(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        self.sync_folder()?;
        self.file_bytes = text.len() as u64;
        self.drop_journal()
    }

    /// Puts changes on disk, all or none. `entries` are those after the changes, for when a new file is due.
    pub(crate) fn append<'a>(
        &mut self,
        changes: &[Changed],
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> io::Result<()> {
        let due = self.journal_bytes > self.file_bytes.max(LEAST_WORTH_BYTES);
        if self.spoiled || due {
            return self.save(entries);
        }
        let batch = journal::write(changes);
        let written = self.write(&batch);
        match written {
            Ok(()) => self.journal_bytes += batch.len() as u64,
            // What is there in part is taken back, so that the next change does not come after it.
            Err(_) => self.spoiled = self.take_back().is_err(),
        }
        written
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let mut journal = if let Some(journal) = self.journal.take() {
            journal
        } else {
            let journal = fresh(&self.journal_path())?;
            self.sync_folder()?;
            journal
        };
        let written = journal.write_all(batch).and_then(|()| journal.sync_data());
        self.journal = Some(journal);
        written
    }

    fn take_back(&mut self) -> io::Result<()> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        journal.set_len(self.journal_bytes)?;
        io::Seek::seek(journal, io::SeekFrom::End(0))?;
        journal.sync_data()
    }

    fn drop_journal(&mut self) -> io::Result<()> {
        self.journal = None;
        self.journal_bytes = 0;
        self.spoiled = false;
        match std::fs::remove_file(self.journal_path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync_folder(),
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new file in the place of whatever has this name: a leftover of a crash may have another owner or mode.
fn fresh(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
}
