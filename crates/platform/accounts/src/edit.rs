//! Changes to the directory, for `toolforge tool` and `toolforge user`: over LDAP, as somebody who may write.
//!
//! Works on any directory of the configured shape. The account service is not told: it sees each change like any
//! other. Every operation is safe to repeat: what was half done is finished by the next attempt.

mod error;
mod lock;
mod maintainers;
mod person;
mod session;
mod tool;

use std::path::PathBuf;

pub use error::{EditError, unknown_tool};
pub use lock::{lock_tool, lock_user, unlock_tool, unlock_user};
pub use maintainers::{add_maintainer, remove_maintainer};
pub use person::{NewUser, User, create_user, delete_user, find_user, list_users};
pub use tool::{Created, create_tool, delete_tool};

use crate::config::{FIRST_TOOL_UID, LAST_TOOL_UID};

/// What differs between platforms.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Homes lie below this folder.
    pub home_root: PathBuf,
    /// The ids that may be given out, first and last.
    pub uids: (u32, u32),
}

impl Creation {
    /// The defaults, with homes below `home_root`.
    pub fn below(home_root: impl Into<PathBuf>) -> Self {
        Self {
            home_root: home_root.into(),
            uids: (FIRST_TOOL_UID, LAST_TOOL_UID),
        }
    }
}
