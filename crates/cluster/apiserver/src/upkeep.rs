//! What an operator does to the store while nobody has it open.
//!
//! Called by the roof's commands. Each function refuses when the store is in use.

use std::path::Path;

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
