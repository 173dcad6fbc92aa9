//! What the account service is told: where the directory is, where homes lie, how long credentials live.
//!
//! Filled by the program; read by every part of the service. Holds no decisions.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
};
use toolforge_figures::Process;
use toolforge_pki::KeyKind;
use toolforge_policy::psp::ToolClass;

use crate::{election::Election, guard::Limits, ldap::LdapAccess, overrides::Overrides, withdrawn::Reason};

/// How long before their end credentials are renewed, at most: a month is time enough to notice a
/// signer that does not sign.
pub const RENEW_BEFORE: Duration = Duration::from_hours(30 * 24);

/// How long the objects of a locked tool are kept, and those of a removed one: time enough to notice a mistake.
pub const GRACE: Duration = Duration::from_hours(30 * 24);

/// How many accounts may be removed within [`REMOVALS_WINDOW`] without an approval: a busy day, and no more.
pub const MOST_REMOVALS: usize = 10;

/// And what share of all accounts, in percent.
pub const MOST_REMOVALS_PERCENT: u8 = 10;

/// How long a removal counts.
pub const REMOVALS_WINDOW: Duration = Duration::from_hours(24);

/// The pause between two removals, and between two deletions of namespaces, once a few went at once: ten a minute can
/// be watched, and stopped.
pub const REMOVAL_PAUSE: Duration = Duration::from_secs(6);

/// Where archives of tools lie.
pub const ARCHIVE: &str = "/var/lib/toolforge/archive";

/// The first user id that `create_tool` gives out, above everything a Debian machine uses itself.
pub const FIRST_TOOL_UID: u32 = 50_000;

/// The last user id that `create_tool` gives out; 65534 is `nobody`.
pub const LAST_TOOL_UID: u32 = 65_533;

/// What happens to accounts that are locked or gone, how fast, and how much of it without an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// How long the objects of a locked tool are kept.
    pub locked_grace: Duration,
    /// How long the objects of a removed tool are kept.
    pub removed_grace: Duration,
    /// How many accounts may be removed within the window without an approval.
    pub most_removals: usize,
    /// And what share of all accounts, in percent; one may always be removed.
    pub most_removals_percent: u8,
    /// How long a removal counts.
    pub removals_window: Duration,
    /// The pause between removals, once `most_removals` went at once, and between deletions of namespaces.
    pub removal_pause: Duration,
    /// Where the objects of tools are archived before they are deleted; made where there is no such folder.
    pub archive: PathBuf,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            locked_grace: GRACE,
            removed_grace: GRACE,
            most_removals: MOST_REMOVALS,
            most_removals_percent: MOST_REMOVALS_PERCENT,
            removals_window: REMOVALS_WINDOW,
            removal_pause: REMOVAL_PAUSE,
            archive: PathBuf::from(ARCHIVE),
        }
    }
}

impl Lifecycle {
    pub(crate) fn grace(&self, reason: Reason) -> Duration {
        match reason {
            Reason::Locked => self.locked_grace,
            Reason::Removed => self.removed_grace,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            most: self.most_removals,
            most_percent: self.most_removals_percent,
            window: self.removals_window,
        }
    }
}

/// How many of the accounts that the directory has at the start have been looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// So many.
    pub done: usize,
    /// Of so many.
    pub accounts: usize,
}

/// What the service is told.
#[derive(Debug)]
pub struct Config {
    /// The directory, read only.
    pub ldap: LdapAccess,
    /// Homes of tools lie below this folder, and are made here where they are absent.
    pub home_root: PathBuf,
    /// Homes of admins lie below this folder.
    pub admin_home_root: PathBuf,
    /// The API's URL as kubeconfigs name it; none means what `kube-public/cluster-info` says.
    pub server: Option<String>,
    /// The API's authority as kubeconfigs name it, PEM; none means what `kube-public/cluster-info` says.
    pub ca_pem: Option<String>,
    /// The lifetime asked for in certificate requests; none leaves it to the signer.
    pub certificate_lifetime: Option<Duration>,
    /// What kind of key credentials have; those that are there keep theirs until they are renewed.
    pub key: KeyKind,
    /// How long before their end credentials are renewed; never more than a third of their lifetime.
    pub renew_before: Duration,
    /// What the Pods of tools may have beyond what is the same everywhere: it goes into the policy of each tool.
    pub tool_class: ToolClass,
    /// What single tools have more or less of; what is sent later takes its place at once.
    pub overrides: watch::Receiver<Arc<Overrides>>,
    /// What happens to accounts that are locked or gone.
    pub lifecycle: Lifecycle,
    /// How this replica and others find out which of them acts; none means that there are no others.
    pub election: Option<Election>,
    /// Where health, readiness and metrics are answered, over plain HTTP; none means nowhere.
    pub listener: Option<TcpListener>,
    /// Whether the metrics tell of the process.
    pub process: Process,
    /// Told once, when every account of the directory has been looked at for the first time.
    pub on_first_pass: Option<oneshot::Sender<Summary>>,
    /// Told how far that is.
    pub progress: Option<watch::Sender<Progress>>,
}

impl Config {
    /// The configuration with every default.
    pub fn new(ldap: LdapAccess, home_root: PathBuf, admin_home_root: PathBuf) -> Self {
        Self {
            ldap,
            home_root,
            admin_home_root,
            server: None,
            ca_pem: None,
            certificate_lifetime: None,
            key: KeyKind::default(),
            renew_before: RENEW_BEFORE,
            tool_class: ToolClass::default(),
            overrides: watch::channel(Arc::default()).1,
            lifecycle: Lifecycle::default(),
            election: None,
            listener: None,
            process: Process::Own,
            on_first_pass: None,
            progress: None,
        }
    }
}

/// What the first pass came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tools that are as they should be.
    pub tools: usize,
    /// Admins that are as they should be.
    pub admins: usize,
    /// Accounts that are not, each with its reason.
    pub failing: Vec<(String, String)>,
}
