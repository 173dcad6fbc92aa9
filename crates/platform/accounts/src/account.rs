//! Which account something is about: the key of the queue, and how the log calls it.

use std::fmt;

use toolforge_model::ToolName;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Account {
    Tool(ToolName),
    Admin(String),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(name) => write!(f, "tool {name}"),
            Self::Admin(name) => write!(f, "admin {name}"),
        }
    }
}
