//! Which account something is about: the key of the queue, and how the log and the state in the cluster call it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use toolforge_model::ToolName;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Account {
    /// A tool.
    Tool(ToolName),
    /// An admin of the project, by user name.
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

/// A text that names no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account is `tool NAME` or `admin USER`")]
pub struct NoAccount;

impl FromStr for Account {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        match text.split_once(' ') {
            Some(("tool", name)) => name.parse().map(Self::Tool).map_err(|_| NoAccount),
            Some(("admin", name)) if !name.is_empty() => Ok(Self::Admin(name.to_owned())),
            _ => Err(NoAccount),
        }
    }
}

impl From<Account> for String {
    fn from(account: Account) -> Self {
        account.to_string()
    }
}

impl TryFrom<String> for Account {
    type Error = NoAccount;

    fn try_from(text: String) -> Result<Self, NoAccount> {
        text.parse()
    }
}
