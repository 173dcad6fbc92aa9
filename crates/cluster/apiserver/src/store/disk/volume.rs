//! The seam between the store and the machine's disk: everything that is written goes through it, so that tests can
//! have disks that are full or broken.
//!
//! Implementations only do what they are told; what to do about an error is decided above.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Files of the store are for their owner only.
const MODE: u32 = 0o600;

/// A file that is written at its end.
pub(crate) trait Sink: Send {
    /// Writes all bytes at the end; after an error part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything that was appended is on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to a length in bytes; later writes go on there.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// Where files are made.
pub(crate) trait Volume: Send + Sync {
    /// A new, empty file; one of that name that is there already loses its content.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>>;
    /// A file that is there, to be written on.
    fn reopen(&self, path: &Path) -> io::Result<Box<dyn Sink>>;
    /// Gives a file its final name, for good.
    fn publish(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(crate) struct FileSystem;

impl Sink for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Volume for FileSystem {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        if let Err(problem) = std::fs::remove_file(path)
            && problem.kind() != io::ErrorKind::NotFound
        {
            return Err(problem);
        }
        let file = File::options()
            .append(true)
            .create_new(true)
            .mode(MODE)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn reopen(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(File::options().append(true).open(path)?))
    }

    fn publish(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)?;
        match to.parent() {
            Some(folder) => self.sync_folder(folder),
            None => Ok(()),
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}
