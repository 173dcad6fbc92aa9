//! How to speak to a directory and where in it things are: the typed configuration that every part here goes by.
//!
//! Made by the program, from flags or by `settings.rs` from a file. Decides nothing. The defaults are those of the
//! original's directory.

use std::{fmt, time::Duration};

use super::{connect::Servers, failure::LdapFailure};

/// How long a server may take to be reached, TLS and bind included; the next one is tried then.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a server may be silent while an answer is due.
const RECEIVE: Duration = Duration::from_mins(1);

/// How long the server is allowed to search for one page.
const SEARCH: Duration = Duration::from_secs(30);

/// How often a directory that tells nothing of its changes is asked for differences; each is a small search.
const DIFFERENCES_EVERY: Duration = Duration::from_secs(10);

/// How often everything is read anew in any case: the safety net, should a word get lost.
const COMPARE_EVERY: Duration = Duration::from_mins(30);

/// Entries per page; servers commonly refuse more than 500.
const PAGE_ENTRIES: i32 = 500;

/// Where entries of one kind are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The base, searched with everything below it.
    pub base: String,
    /// Which of the entries there.
    pub filter: String,
}

/// Names of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The name of an account or a group, `PROJECT.NAME`; of a person, the name to be shown.
    pub name: String,
    /// A user's login name.
    pub user: String,
    /// The user id.
    pub uid_number: String,
    /// The group id.
    pub gid_number: String,
    /// The home.
    pub home: String,
    /// Names of entries that belong to a group.
    pub member: String,
    /// Operational attributes whose presence means that an account is locked.
    pub locked: Vec<String>,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            name: "cn".to_owned(),
            user: "uid".to_owned(),
            uid_number: "uidNumber".to_owned(),
            gid_number: "gidNumber".to_owned(),
            home: "homeDirectory".to_owned(),
            member: "member".to_owned(),
            locked: vec!["pwdAccountLockedTime".to_owned(), "pwdPolicySubentry".to_owned()],
        }
    }
}

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Accounts of tools.
    pub tools: Place,
    /// Groups of tools' maintainers.
    pub service_groups: Place,
    /// Groups whose members are admins.
    pub admins: Place,
    /// People.
    pub people: Place,
    /// Names of attributes.
    pub attributes: Attributes,
}

impl Shape {
    /// The shape of the original's directory, below `base` and for `project`.
    pub fn of(base: &str, project: &str) -> Self {
        let place = |folder: &str, filter: String| Place {
            base: format!("{folder},{base}"),
            filter,
        };
        let project = ldap3::ldap_escape(project);
        Self {
            tools: place(
                "ou=people,ou=servicegroups",
                format!("(&(objectClass=posixAccount)(cn={project}.*))"),
            ),
            service_groups: place(
                "ou=servicegroups",
                format!("(&(objectClass=posixGroup)(cn={project}.*))"),
            ),
            admins: place(
                "ou=servicegroups",
                format!("(&(objectClass=posixGroup)(cn={project}.admin))"),
            ),
            people: place("ou=people", "(objectClass=posixAccount)".to_owned()),
            attributes: Attributes::default(),
        }
    }
}

/// How changes are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Changes {
    /// In the best way that the server offers.
    #[default]
    Best,
    /// By content synchronisation (RFC 4533), else by differences.
    Synchronisation,
    /// By persistent search (draft-ietf-ldapext-psearch), else by differences.
    PersistentSearch,
    /// By asking for differences.
    Differences,
}

/// Times and sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a server may take to be reached, TLS and bind included; default 5 seconds.
    pub connect: Duration,
    /// How long a server may be silent while an answer is due; default a minute.
    pub receive: Duration,
    /// How long the server may search for one page; default 30 seconds.
    pub search: Duration,
    /// Between two questions for differences; default 10 seconds.
    pub differences_every: Duration,
    /// Between two readings of everything; default 30 minutes.
    pub compare_every: Duration,
    /// Entries per page; default 500.
    pub page_entries: i32,
    /// How changes are learned.
    pub changes: Changes,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: CONNECT,
            receive: RECEIVE,
            search: SEARCH,
            differences_every: DIFFERENCES_EVERY,
            compare_every: COMPARE_EVERY,
            page_entries: PAGE_ENTRIES,
            changes: Changes::Best,
        }
    }
}

/// Where the directory is, and as whom to speak to it.
#[derive(Clone)]
pub struct LdapAccess {
    /// One or more of `ldaps://HOST:PORT`, or `ldap://HOST:PORT` with `StartTLS`; the one that answered last is tried
    /// first, then the others in this order.
    pub urls: Vec<String>,
    /// The authority of the servers' certificates, PEM; none means the machine's own roots.
    pub ca_pem: Option<String>,
    /// Whether `ldap://` to a loopback address goes without TLS. Other addresses never do.
    pub plaintext_on_loopback: bool,
    /// The name to bind with.
    pub bind_dn: String,
    /// Its password.
    pub bind_password: String,
    /// The directory's base, such as `dc=toolforge,dc=org`.
    pub base: String,
    /// The project, `tools` by default: accounts are called `PROJECT.NAME`.
    pub project: String,
    /// Where things are.
    pub shape: Shape,
    /// Times and sizes.
    pub pace: Pace,
}

impl LdapAccess {
    /// Access to these servers with the original's shape and every other default; binds as nobody until told.
    pub fn new(urls: Vec<String>, base: &str, project: &str) -> Self {
        Self {
            urls,
            ca_pem: None,
            plaintext_on_loopback: false,
            bind_dn: String::new(),
            bind_password: String::new(),
            base: base.to_owned(),
            project: project.to_owned(),
            shape: Shape::of(base, project),
            pace: Pace::default(),
        }
    }

    /// Looks at the whole of it.
    ///
    /// # Errors
    /// When it cannot work: no URL, one that would send the password in the clear, an authority or a filter that is none.
    pub fn check(&self) -> Result<(), LdapFailure> {
        Servers::new(self.clone()).map(|_| ())
    }

    /// The same, trusting this authority.
    #[must_use]
    pub fn trusting(mut self, ca_pem: Option<String>) -> Self {
        self.ca_pem = ca_pem;
        self
    }

    /// The same, binding with this name and password.
    #[must_use]
    pub fn bound_as(mut self, dn: impl Into<String>, password: impl Into<String>) -> Self {
        self.bind_dn = dn.into();
        self.bind_password = password.into();
        self
    }
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
