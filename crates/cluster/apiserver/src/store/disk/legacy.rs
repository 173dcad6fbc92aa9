//! The layout before the journal, a fjall database that no release ever wrote: recognised, and refused.
//!
//! Called when a folder is opened or restored into; never reads more than names.

use std::path::Path;

/// What such a database has in its folder.
const NAMES: [&str; 2] = ["version", "keyspaces"];

/// Whether a folder holds such a store, or the rest of one.
pub(crate) fn is_there(folder: &Path) -> bool {
    NAMES.iter().any(|name| folder.join(name).exists())
}
