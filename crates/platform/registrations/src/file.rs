//! Registrations on disk: one file, written whole beside itself and put in its own place, for its owner alone. Whoever
//! was told `ok` is in it, whatever happens next.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Book, Registration};

/// The version of the form below.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    registrations: Vec<Registration>,
}

/// Why there are no registrations to be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} is damaged, or another version's: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What is on disk; nothing where there is no file.
///
/// # Errors
/// When there is one that cannot be read.
pub fn read(path: &Path) -> Result<Book, FileError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
        Err(source) => {
            let path = path.to_owned();
            return Err(FileError::Read { path, source });
        }
    };
    let damaged = |reason: String| FileError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let written: Written = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if written.version != VERSION {
        return Err(damaged(format!(
            "it has version {}, and {VERSION} is read",
            written.version
        )));
    }
    Ok(Book::from_all(written.registrations))
}

/// Writes all of them. When it returns they survive a power cut.
pub(crate) fn write(path: &Path, book: &Book) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let written = Written {
        version: VERSION,
        registrations: book.all().cloned().collect(),
    };
    let text = serde_json::to_vec(&written)?;
    toolforge_pki::write_private(path, &text).map_err(io::Error::other)?;
    // Only with its folder on disk does the new name survive.
    fs::File::open(folder)?.sync_all()
}

/// Puts a damaged file aside, so that it is neither lost nor read again; the answer is where it is.
pub(crate) fn put_aside(path: &Path, now_seconds: i64) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{now_seconds}"));
    let aside = PathBuf::from(name);
    fs::rename(path, &aside)?;
    Ok(aside)
}
