//! Changing objects: JSON patch, merge patch, strategic merge patch and server-side apply.
//!
//! The API server calls these functions on plain JSON values; what differs between types (list types, merge keys,
//! atomic maps) comes from a table of facts that `cargo xtask gen` makes from the published definitions. Everything
//! here is pure: no clock, no I/O, and no bytes from outside can make it panic. It knows nothing of storage, HTTP or
//! validation, and does not convert between API versions.

mod apply;
mod compare;
mod conflict;
mod element;
mod extensions;
mod facts;
mod fields;
mod fieldset;
mod items;
mod json;
mod managers;
mod merge;
mod prune;
mod strategic;
mod track;

pub use apply::{Applier, ApplyError, apply, apply_as};
pub use conflict::Conflict;
pub use extensions::{FieldExtensions, TypeExtensions, extensions};
pub use facts::{CustomType, TypeRef};
pub use json::{json_patch, merge_patch};
pub use strategic::strategic_merge;
pub use track::track_update;

/// Why a patch could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch is not of the expected form; a bad request (400).
    #[error("{0}")]
    Malformed(String),
    /// The patch is well formed and does not fit the object, such as a failed `test`; an invalid one (422).
    #[error("{0}")]
    Rejected(String),
    /// The result would be unreasonably large (413).
    #[error(
        "the patch copies more than {limit} values, which is more than an object may hold; send the object instead"
    )]
    TooLarge {
        /// How many values the copies of one patch may make.
        limit: usize,
    },
}
