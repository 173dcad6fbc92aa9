//! Files of Kubernetes objects, as people write them for `kubectl`: YAML with several documents, JSON, `List`s.
//!
//! Pure: from bytes to objects, each with the lines on which its fields stand. Called by `toolforge check`. It must read
//! what `kubectl` would send - a file that means one thing here and another there would get past the guards unseen - and
//! refuses what different programs read differently: keys that are there twice.

mod list;
mod node;
mod place;
mod read;
mod stream;

pub use place::{Place, Places};
pub use read::{LONGEST_BYTES, ReadError, read};

use serde_json::Value;

/// One object of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The object, with everything that its author wrote and nothing else.
    pub object: Value,
    /// Where its fields stand.
    pub places: Places,
}
