//! The directory over LDAP, whichever server it is: what it says, and a word whenever that changes.
//!
//! `connect.rs` goes to one of several servers, `search.rs` asks and takes no half answer, `follow.rs` runs for as long
//! as the service does and keeps a `Picture`: by content synchronisation (`sync.rs`), by persistent search
//! (`persist.rs`), or by asking for differences (`differences.rs`). `access.rs` has the configuration, `settings.rs` reads it from
//! a file, `place.rs` says what is where. Nothing here writes, and nothing here knows the cluster.

mod access;
mod ber;
mod connect;
mod differences;
mod failure;
mod follow;
mod message;
mod persist;
mod place;
mod read;
mod search;
mod settings;
mod sync;

pub use access::{Attributes, Changes, LdapAccess, Pace, Place, Shape};
pub use failure::LdapFailure;
pub use follow::{News, follow_directory};
pub use read::read_directory;
pub use settings::{
    AttributeSettings, ChangeSettings, DirectorySettings, DirectorySettingsError, PlaceSettings,
};

pub(crate) use connect::{Servers, connect};
pub(crate) use failure::operation;
pub(crate) use follow::follow;
pub(crate) use search::{Query, all};
