//! What an operator does to the store while nobody has it open.
//!
//! Called by the roof's commands. Each function refuses when the store is in use.

use std::path::Path;

pub use crate::store::disk::{Inspected, Restored};
use crate::store::{DiskError, DiskPlace, disk};

/// Why it was not done. The message names the file and the way out.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct UpkeepError(#[from] DiskError);

/// Gives the store in `store_dir` a new key, which stands in its key file before the old one until the store is opened:
/// then everything is encrypted anew and the old key is forgotten.
///
/// # Errors
/// When the store is in use, has no key yet, or its key file cannot be written.
pub fn rotate_key(store_dir: &Path) -> Result<(), UpkeepError> {
    Ok(disk::rotate_key(&DiskPlace::of(store_dir))?)
}

/// Reads a backup from its first to its last byte.
///
/// # Errors
/// When it is not whole, or no backup.
pub fn inspect_backup(file: &Path) -> Result<Inspected, UpkeepError> {
    Ok(disk::inspect(file)?)
}

/// Makes the store in `store_dir` anew from a backup, in one step. One that is there is kept beside it, when `replace`
/// allows that at all. `progress` hears how many bytes of objects have been read.
///
/// # Errors
/// When the store is in use or must not be replaced, the backup is damaged, or its key is not there. Nothing is changed then.
pub fn restore_backup(
    store_dir: &Path,
    file: &Path,
    replace: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<Restored, UpkeepError> {
    Ok(disk::restore(&DiskPlace::of(store_dir), file, replace, progress)?)
}
