//! Stores of the first layout, a fjall database without encryption: read once, and replaced.
//!
//! Called when a folder with such a database is opened.

use std::path::Path;

use fjall::{Database, KeyspaceCreateOptions};

use super::problem::DiskError;

/// What fjall calls its files.
const MARKER: &str = "version";
const LOCK: &str = "lock";
const TABLES: &str = "keyspaces";
const JOURNAL: &str = "jnl";
/// The layout that is known.
const FORMAT: &[u8] = b"toolforge-objects-1";

/// An object of such a store.
#[derive(Debug)]
pub(crate) struct LegacyObject {
    /// Its key, encoded.
    pub(crate) key: Vec<u8>,
    pub(crate) revision: u64,
    pub(crate) json: Vec<u8>,
}

/// Whether a folder holds such a store, or the rest of one.
pub(crate) fn is_there(folder: &Path) -> bool {
    folder.join(MARKER).exists() || folder.join(TABLES).exists()
}

/// All objects and the last revision.
pub(crate) fn read(folder: &Path) -> Result<(Vec<LegacyObject>, u64), DiskError> {
    let failed = |source| DiskError::Legacy {
        path: folder.to_owned(),
        source,
    };
    let database = Database::builder(folder)
        .worker_threads(1)
        .open()
        .map_err(failed)?;
    let open = |name| {
        database
            .keyspace(name, KeyspaceCreateOptions::default)
            .map_err(failed)
    };
    let format = open("meta")?.get("format").map_err(failed)?;
    if format.as_deref() != Some(FORMAT) {
        return Err(DiskError::Format {
            path: folder.to_owned(),
        });
    }
    let mut last = 0;
    let mut objects = Vec::new();
    for guard in open("objects")?.iter() {
        let (key, value) = guard.into_inner().map_err(failed)?;
        let Some((revision, json)) = value.split_first_chunk::<8>() else {
            return Err(DiskError::damaged(folder, 0, "an object has no revision"));
        };
        let revision = u64::from_be_bytes(*revision);
        last = last.max(revision);
        objects.push(LegacyObject {
            key: key.to_vec(),
            revision,
            json: json.to_vec(),
        });
    }
    for guard in open("log")?.iter() {
        let key = guard.key().map_err(failed)?;
        last = last.max(
            key.first_chunk::<8>()
                .map_or(0, |bytes| u64::from_be_bytes(*bytes)),
        );
    }
    Ok((objects, last))
}

/// Removes what is left of such a store: Secrets lie in it as they are.
pub(crate) fn remove(folder: &Path) -> Result<(), DiskError> {
    let failed = |problem| DiskError::io("remove the earlier store in", folder)(problem);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == JOURNAL) || name == LOCK {
            std::fs::remove_file(&path).map_err(failed)?;
        }
    }
    let tables = folder.join(TABLES);
    if tables.exists() {
        std::fs::remove_dir_all(&tables).map_err(failed)?;
    }
    // Last: it is what tells that there is something left.
    let marker = folder.join(MARKER);
    if marker.exists() {
        std::fs::remove_file(marker).map_err(failed)?;
    }
    Ok(())
}
