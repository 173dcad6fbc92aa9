//! Why the directory was not changed: each names what is wrong, the rule, and the way out.

use toolforge_model::ToolName;

use crate::{
    ldap::LdapFailure,
    near::{near, proposals},
    snapshot::Snapshot,
};

/// Why the directory was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// There is such a tool.
    #[error("the tool {name} exists already; `toolforge tool list` shows all, choose another name")]
    Exists {
        /// The name.
        name: ToolName,
    },
    /// There is such a user.
    #[error("the user {user} exists already; `toolforge user list` shows all, choose another name")]
    UserExists {
        /// The name.
        user: String,
    },
    /// A name that no user can have.
    #[error("{user:?} cannot be a user's name: {rule}")]
    UserName {
        /// The name.
        user: String,
        /// The rule.
        rule: &'static str,
    },
    /// A tool without anybody.
    #[error("a tool needs at least one maintainer; name one with --maintainer USER")]
    NoMaintainer,
    /// The last maintainer of a tool.
    #[error(
        "{user} is the only maintainer of {tools}; add another first (toolforge tool maintainers add TOOL USER)"
    )]
    LastMaintainer {
        /// The user.
        user: String,
        /// The tools.
        tools: String,
    },
    /// There is no such tool.
    #[error("there is no tool {name} in the directory{}", proposals(near))]
    UnknownTool {
        /// The name that was given.
        name: ToolName,
        /// Names that are like it.
        near: Vec<String>,
    },
    /// A tool's account without a group.
    #[error(
        "the tool {name} has an account, {account}, and no group for its maintainers; add the group to the directory"
    )]
    NoGroup {
        /// The name of the tool.
        name: ToolName,
        /// Its account.
        account: String,
    },
    /// There is no such user.
    #[error("there is no user {user} in the directory{}", proposals(near))]
    UnknownUser {
        /// The name that was given.
        user: String,
        /// Names that are like it.
        near: Vec<String>,
    },
    /// All ids are taken.
    #[error("all user ids from {first} to {last} are taken; widen the range of ids")]
    NoFreeUid {
        /// The first that may be given out.
        first: u32,
        /// The last that may be given out.
        last: u32,
    },
    /// The directory does not let this name write.
    #[error(
        "the directory does not let {bind_dn} do this; bind as somebody who may write (--bind-dn, --bind-password-file)"
    )]
    NotAllowed {
        /// The name that was bound.
        bind_dn: String,
        /// What the server says.
        #[source]
        source: LdapFailure,
    },
    /// The directory did not do its part.
    #[error(transparent)]
    Directory(LdapFailure),
}

/// The error about a tool that a snapshot does not have.
pub fn unknown_tool(name: &ToolName, snapshot: &Snapshot) -> EditError {
    EditError::UnknownTool {
        name: name.clone(),
        near: near(name.as_str(), snapshot.tools.keys().map(ToolName::as_str)),
    }
}
