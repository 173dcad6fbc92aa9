//! The arguments of `toolforge tool` and `toolforge user`, as clap reads them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DataArgs, ListFormat};
use crate::directory::DirectoryArgs;

/// The directory to speak to: that of this machine's platform, unless another is named.
#[derive(Debug, Args)]
pub(crate) struct WhereArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten, next_help_heading = "Another directory")]
    pub(crate) directory: DirectoryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ToolArgs {
    #[command(subcommand)]
    pub(crate) action: ToolAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ToolAction {
    /// Create a tool in the directory, and wait until it is ready to be used
    Create {
        /// The tool's name: lower-case letters, digits and hyphens, at most 53
        name: String,
        /// A user of the directory who maintains it; can be given more than once
        #[arg(long = "maintainer", value_name = "USER", required = true)]
        maintainers: Vec<String>,
        /// The folder below which tools' homes lie [default: that of the platform, else /data/project]
        #[arg(long, value_name = "DIR")]
        home_root: Option<PathBuf>,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Remove a tool from the directory; its home stays
    Delete {
        /// The tool
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Lock a tool: it keeps what it has and may use none of it
    Lock {
        /// The tool
        name: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Unlock a tool
    Unlock {
        /// The tool
        name: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Add, remove and list a tool's maintainers
    Maintainers {
        #[command(subcommand)]
        action: MaintainersAction,
    },
    /// List the tools, their maintainers and their URLs
    List {
        /// `table` or `json`
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Show what the directory says of a tool
    Show {
        /// The tool
        name: String,
        /// `table` or `json`
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
        #[command(flatten)]
        place: WhereArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum MaintainersAction {
    /// Make a user a maintainer of a tool
    Add {
        /// The tool
        name: String,
        /// The user
        user: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// End a user's work for a tool
    Remove {
        /// The tool
        name: String,
        /// The user
        user: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// List a tool's maintainers
    List {
        /// The tool
        name: String,
        /// `table` or `json`
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
        #[command(flatten)]
        place: WhereArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    pub(crate) action: UserAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Create a user in the directory
    Create {
        /// The login name: lower-case letters, digits and hyphens, at most 32
        user: String,
        /// The name to be shown [default: the login name]
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// The folder below which users' homes lie
        #[arg(long, value_name = "DIR", default_value = "/home")]
        home_root: PathBuf,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Remove a user from the directory and from the tools that they maintain; their home stays
    Delete {
        /// The user
        user: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Lock a user
    Lock {
        /// The user
        user: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Unlock a user
    Unlock {
        /// The user
        user: String,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// List the users
    List {
        /// `table` or `json`
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
        #[command(flatten)]
        place: WhereArgs,
    },
    /// Show a user and the tools that they maintain
    Show {
        /// The user
        user: String,
        /// `table` or `json`
        #[arg(short, long, value_enum, default_value_t = ListFormat::Table)]
        output: ListFormat,
        #[command(flatten)]
        place: WhereArgs,
    },
}
