//! From the directory to namespaces, credentials, quotas and homes.
//!
//! The account service (the original calls it maintain-kubeusers) reads tools and admins from an LDAP directory
//! and keeps, for each of them, what it needs: objects in the cluster, a certificate, a home with a kubeconfig.
//! It speaks LDAP on one side and the Kubernetes API on the other, and works with any of either.
//!
//! How it works: `ldap` keeps a `Picture` of the directory, which gives a `Snapshot` whenever it changes; `cache.rs` watches our
//! objects; `service.rs` gives each account that either of them names a turn (`queue.rs`); a turn
//! (`reconcile.rs`) computes what should be (`desired.rs`), the difference (`plan.rs`) and whether credentials are
//! due (`decide.rs`), all pure, and executes it (`execute.rs`, `toolforge-certificates`, `home.rs`). Where an account stands says
//! `standing.rs`; one that is locked or gone has turns of another kind (`withdraw.rs`), and gone ones only those that
//! `guard.rs` lets go. What would be done, without doing it, says `dry_run.rs`. Of several replicas one does all this: `election.rs`.

mod account;
mod archive;
mod cache;
mod cause;
mod clash;
mod cluster_info;
mod config;
mod contained;
mod decide;
mod desired;
mod dry_run;
mod echoes;
mod edit;
mod election;
mod events;
mod execute;
mod file_work;
mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guard;
mod health;
mod home;
mod kubeconfig;
mod ldap;
mod ledger;
mod mark;
mod metrics;
mod namespace;
mod near;
mod overrides;
mod overview;
mod pace;
mod pattern;
mod picture;
mod plan;
mod queue;
mod reconcile;
mod removals;
mod report;
mod roles;
mod run;
mod service;
mod snapshot;
mod standing;
mod status;
mod stop;
mod withdraw;
mod withdrawn;
mod yaml;

pub use account::Account;
pub use config::{
    ARCHIVE, Config, FIRST_TOOL_UID, GRACE, LAST_TOOL_UID, Lifecycle, MOST_REMOVALS, MOST_REMOVALS_PERCENT,
    Progress, REMOVAL_PAUSE, REMOVALS_WINDOW, RENEW_BEFORE, Summary,
};
pub use desired::{
    ADMIN_NAMESPACE, MARKER, OBSERVER_ROLE, desired_admin_objects, desired_tool_objects, tool_marker,
};
pub use dry_run::{AccountPlan, DryRun, DryRunError, FieldChange, Standing, Step, Target, Verb, dry_run};
pub use edit::{
    Created, Creation, EditError, NewUser, User, add_maintainer, create_tool, create_user, delete_tool,
    delete_user, find_user, list_users, lock_tool, lock_user, remove_maintainer, unknown_tool, unlock_tool,
    unlock_user,
};
pub use election::Election;
pub use guard::Waiting;
pub use ldap::{
    AttributeSettings, Attributes, ChangeSettings, Changes, DirectorySettings, DirectorySettingsError,
    LdapAccess, LdapFailure, News, Pace, Place, PlaceSettings, Shape, follow_directory, read_directory,
};
pub use metrics::FAMILIES;
pub use overrides::{Overrides, OverridesError};
pub use overview::{Line, OverviewError, State, list};
pub use plan::{Action, ObjectKey, plan};
pub use removals::{RemovalsError, approve, pending};
pub use roles::{LEASE, admin_role, service_role, tool_role};
pub use run::{AccountsError, run};
pub use snapshot::{Admin, Snapshot, Tool, Unusable};
