//! What the account service is told: where the directory is, where homes lie, how long credentials live.
//!
//! Filled by the program; read by every part of the service. Holds no decisions.

use std::{fmt, path::PathBuf, time::Duration};

use tokio::sync::oneshot;
use toolforge_policy::psp::ToolClass;

/// How long before their end credentials are renewed, at most: a month is time enough to notice a
/// signer that does not sign.
pub const RENEW_BEFORE: Duration = Duration::from_hours(30 * 24);

/// The first user id that `create_tool` gives out, above everything a Debian machine uses itself.
pub const FIRST_TOOL_UID: u32 = 50_000;

/// The last user id that `create_tool` gives out; 65534 is `nobody`.
pub const LAST_TOOL_UID: u32 = 65_533;

/// Where the directory is, and as whom to speak to it.
#[derive(Clone)]
pub struct LdapAccess {
    /// One or more of `ldaps://HOST:PORT` (or `ldap://`), tried in this order.
    pub urls: Vec<String>,
    /// The authority of the server's certificate, PEM; none means the machine's own roots.
    pub ca_pem: Option<String>,
    /// The name to bind with.
    pub bind_dn: String,
    /// Its password.
    pub bind_password: String,
    /// The directory's base, such as `dc=toolforge,dc=org`.
    pub base: String,
    /// The project, `tools` by default: accounts are called `PROJECT.NAME`.
    pub project: String,
}

impl fmt::Debug for LdapAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LdapAccess")
            .field("urls", &self.urls)
            .field("bind_dn", &self.bind_dn)
            .field("base", &self.base)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
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
    /// How long before their end credentials are renewed; never more than a third of their lifetime.
    pub renew_before: Duration,
    /// What the Pods of tools may have beyond what is the same everywhere: it goes into the policy of each tool.
    pub tool_class: ToolClass,
    /// Told once, when every account of the directory has been looked at for the first time.
    pub on_first_pass: Option<oneshot::Sender<Summary>>,
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
            renew_before: RENEW_BEFORE,
            tool_class: ToolClass::default(),
            on_first_pass: None,
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
