//! Why the files of the store cannot be used, in words that name the file and the way out.

use std::io;
use std::path::{Path, PathBuf};

/// The store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// The operating system's report on a file.
    #[error("cannot {step} {path}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The report.
        source: io::Error,
    },
    /// A file is not as it was written.
    #[error(
        "{path} is damaged at byte {offset}: {what}. Nothing was changed. Restore the last backup with `toolforge cluster restore FILE`, or put back a copy of the whole folder"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from its start.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A file of the store is not there.
    #[error(
        "{path} is missing: {why}. Put it back, or restore the last backup with `toolforge cluster restore FILE`"
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// How we know.
        why: &'static str,
    },
    /// The file was written by a newer program.
    #[error("{path} has a layout that this program does not know: use the program that wrote it")]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The key file does not hold what the store needs.
    #[error(transparent)]
    Key(#[from] super::vault::KeyError),
    /// Another process has the store open.
    #[error("{path} is open in another process: stop that one first")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is a store where one should be restored.
    #[error("{path} holds a store: with --force it is moved aside, and the backup takes its place")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A store of the layout before the first release.
    #[error(
        "{path} holds an object store of before the first release, which this program does not read: move the folder aside to begin a new store, or let `toolforge cluster restore --force FILE` do so and put a backup in its place"
    )]
    Legacy {
        /// The folder.
        path: PathBuf,
    },
}

impl DiskError {
    /// Wraps the report on a file.
    pub(crate) fn io(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { step, path, source }
    }

    /// Damage at a place of a file.
    pub(crate) fn damaged(path: &Path, offset: u64, what: &'static str) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            offset,
            what,
        }
    }

    /// Whether it is for want of space.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}
