//! The directory file: what an operator says about a directory, as data, and what that comes to.
//!
//! Read by the program from YAML. Everything that is wrong with it is said at once; what it leaves out has the default
//! of the original's directory. The keys `servers`, `user` and `password` are those of the original's `/etc/ldap.yaml`.

use std::{fmt, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::access::{Attributes, Changes, LdapAccess, Pace, Place, Shape};

/// The largest page that may be asked for.
const LARGEST_PAGE: i32 = 100_000;

/// The directory file.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DirectorySettings {
    /// Servers, `ldaps://HOST:PORT` or `ldap://HOST:PORT`.
    #[serde(alias = "servers")]
    pub urls: Vec<String>,
    /// The file of their authority, PEM.
    pub ca_file: Option<PathBuf>,
    /// What is in that file; filled by the program.
    #[serde(skip)]
    pub ca_pem: Option<String>,
    /// Whether `ldap://` to a loopback address goes without TLS.
    pub plaintext_on_loopback: bool,
    /// The name to bind with.
    #[serde(alias = "user")]
    pub bind_dn: Option<String>,
    /// The file of its password.
    pub bind_password_file: Option<PathBuf>,
    /// Its password.
    pub password: Option<String>,
    /// The base.
    pub base: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// Accounts of tools.
    pub tools: PlaceSettings,
    /// Groups of tools' maintainers.
    pub service_groups: PlaceSettings,
    /// Groups whose members are admins.
    pub admins: PlaceSettings,
    /// People.
    pub people: PlaceSettings,
    /// Names of attributes.
    pub attributes: AttributeSettings,
    /// How changes are learned.
    pub changes: ChangeSettings,
    /// Time to reach a server.
    pub connect_timeout_seconds: Option<u64>,
    /// Time in which a server has to say something while an answer is due.
    pub receive_timeout_seconds: Option<u64>,
    /// Time that a server is given for one page.
    pub search_timeout_seconds: Option<u64>,
    /// Between two questions for differences.
    pub differences_every_seconds: Option<u64>,
    /// Between two readings of everything.
    pub compare_every_seconds: Option<u64>,
    /// Entries per page.
    pub page_entries: Option<i32>,
}

/// Where entries of one kind are; what is left out has its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlaceSettings {
    /// The base, searched with everything below it.
    pub base: Option<String>,
    /// Which of the entries there, as RFC 4515 has it.
    pub filter: Option<String>,
}

/// Names of attributes; what is left out has its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AttributeSettings {
    /// Default `cn`.
    pub name: Option<String>,
    /// Default `uid`.
    pub user: Option<String>,
    /// Default `uidNumber`.
    pub uid_number: Option<String>,
    /// Default `gidNumber`.
    pub gid_number: Option<String>,
    /// Default `homeDirectory`.
    pub home: Option<String>,
    /// Default `member`.
    pub member: Option<String>,
    /// Default `pwdAccountLockedTime` and `pwdPolicySubentry`.
    pub locked: Option<Vec<String>>,
}

/// How changes are learned.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeSettings {
    /// In the best way that the server offers.
    #[default]
    Best,
    /// By content synchronisation, else by differences.
    Synchronisation,
    /// By persistent search, else by differences.
    PersistentSearch,
    /// By asking for differences.
    Differences,
}

impl fmt::Debug for DirectorySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectorySettings")
            .field("urls", &self.urls)
            .field("bind_dn", &self.bind_dn)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a directory file.
#[derive(Debug, thiserror::Error)]
pub enum DirectorySettingsError {
    /// It is not YAML, or has a key or a value that is none.
    #[error("{0}")]
    Yaml(String),
    /// It breaks rules: each with its field and the way out.
    #[error("these settings of the directory do not work:\n  {}", .0.join("\n  "))]
    Rules(Vec<String>),
}

impl DirectorySettings {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is not a directory file; says where.
    pub fn read(text: &str) -> Result<Self, DirectorySettingsError> {
        serde_saphyr::from_str(text).map_err(|error| DirectorySettingsError::Yaml(error.to_string()))
    }

    /// What the settings come to.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn resolve(self) -> Result<LdapAccess, DirectorySettingsError> {
        let mut problems = Vec::new();
        if self.urls.is_empty() {
            problems.push(
                "urls: name at least one server, such as ldaps://ldap.example.org (--ldap-url)".to_owned(),
            );
        }
        if self.bind_dn.as_deref().unwrap_or_default().is_empty() {
            problems.push(
                "bindDn: say as whom to bind, such as cn=reader,dc=example,dc=org (--bind-dn)".to_owned(),
            );
        }
        if self.password.as_deref().unwrap_or_default().is_empty() {
            problems.push(
                "bindPasswordFile: name a file that holds the password (--bind-password-file)".to_owned(),
            );
        }
        let base = required(self.base.as_ref(), "base", &mut problems);
        let project = required(self.project.as_ref(), "project", &mut problems);
        let mut access = LdapAccess::new(self.urls.clone(), &base, &project)
            .trusting(self.ca_pem.clone())
            .bound_as(
                self.bind_dn.clone().unwrap_or_default(),
                self.password.clone().unwrap_or_default(),
            );
        access.plaintext_on_loopback = self.plaintext_on_loopback;
        access.shape = self.shape(&base, &project, &mut problems);
        access.pace = self.pace(&mut problems);
        if problems.is_empty() {
            access
                .check()
                .map_err(|failure| problems.push(failure.to_string()))
                .ok();
        }
        if problems.is_empty() {
            Ok(access)
        } else {
            Err(DirectorySettingsError::Rules(problems))
        }
    }

    fn shape(&self, base: &str, project: &str, problems: &mut Vec<String>) -> Shape {
        let mut shape = Shape::of(base, project);
        for (field, given, place) in [
            ("tools", &self.tools, &mut shape.tools),
            ("serviceGroups", &self.service_groups, &mut shape.service_groups),
            ("admins", &self.admins, &mut shape.admins),
            ("people", &self.people, &mut shape.people),
        ] {
            fill(field, given, place, problems);
        }
        shape.attributes = self.attributes.names(problems);
        shape
    }

    fn pace(&self, problems: &mut Vec<String>) -> Pace {
        let default = Pace::default();
        let mut time = |field: &str, seconds: Option<u64>, default: Duration| match seconds {
            Some(0) => {
                problems.push(format!("{field}: 0 leaves no time; give at least 1"));
                default
            }
            Some(seconds) => Duration::from_secs(seconds),
            None => default,
        };
        let mut pace = Pace {
            connect: time(
                "connectTimeoutSeconds",
                self.connect_timeout_seconds,
                default.connect,
            ),
            receive: time(
                "receiveTimeoutSeconds",
                self.receive_timeout_seconds,
                default.receive,
            ),
            search: time(
                "searchTimeoutSeconds",
                self.search_timeout_seconds,
                default.search,
            ),
            differences_every: time(
                "differencesEverySeconds",
                self.differences_every_seconds,
                default.differences_every,
            ),
            compare_every: time(
                "compareEverySeconds",
                self.compare_every_seconds,
                default.compare_every,
            ),
            page_entries: self.page_entries.unwrap_or(default.page_entries),
            changes: match self.changes {
                ChangeSettings::Best => Changes::Best,
                ChangeSettings::Synchronisation => Changes::Synchronisation,
                ChangeSettings::PersistentSearch => Changes::PersistentSearch,
                ChangeSettings::Differences => Changes::Differences,
            },
        };
        if !(1..=LARGEST_PAGE).contains(&pace.page_entries) {
            problems.push(format!(
                "pageEntries: {} is not from 1 to {LARGEST_PAGE}; most servers take 500",
                pace.page_entries
            ));
            pace.page_entries = default.page_entries;
        }
        pace
    }
}

fn required(value: Option<&String>, field: &str, problems: &mut Vec<String>) -> String {
    let value = value.map(|value| value.trim()).unwrap_or_default();
    if value.is_empty() {
        problems.push(format!("{field}: must not be empty (--{field})"));
    }
    value.to_owned()
}

fn fill(field: &str, given: &PlaceSettings, place: &mut Place, problems: &mut Vec<String>) {
    if let Some(base) = &given.base {
        if base.contains('=') {
            place.base.clone_from(base);
        } else {
            problems.push(format!(
                "{field}.base: {base:?} is not a name of an entry; write it whole, such as {}",
                place.base
            ));
        }
    }
    if let Some(filter) = &given.filter {
        if ldap3::parse_filter(filter).is_ok() {
            place.filter.clone_from(filter);
        } else {
            problems.push(format!(
                "{field}.filter: {filter:?} is not a search filter; write it as RFC 4515 has it, such as {}",
                place.filter
            ));
        }
    }
}

impl AttributeSettings {
    fn names(&self, problems: &mut Vec<String>) -> Attributes {
        let mut names = Attributes::default();
        for (field, given, name) in [
            ("name", &self.name, &mut names.name),
            ("user", &self.user, &mut names.user),
            ("uidNumber", &self.uid_number, &mut names.uid_number),
            ("gidNumber", &self.gid_number, &mut names.gid_number),
            ("home", &self.home, &mut names.home),
            ("member", &self.member, &mut names.member),
        ] {
            if let Some(given) = given {
                if !is_attribute(given) {
                    problems.push(not_an_attribute(&format!("attributes.{field}"), given));
                }
                name.clone_from(given);
            }
        }
        if let Some(locked) = &self.locked {
            let wrong = locked.iter().filter(|name| !is_attribute(name));
            problems.extend(wrong.map(|name| not_an_attribute("attributes.locked", name)));
            names.locked.clone_from(locked);
        }
        names
    }
}

fn is_attribute(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == ';')
}

fn not_an_attribute(field: &str, name: &str) -> String {
    format!("{field}: {name:?} is not an attribute's name; it has letters, digits and hyphens")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "urls: [ldaps://one.example.org, ldap://two.example.org]
bindDn: cn=reader,dc=example,dc=org
password: secret
base: dc=example,dc=org
project: hub
tools: {base: 'ou=tools,dc=example,dc=org'}
admins: {filter: (cn=hub.operators)}
attributes: {member: uniqueMember, locked: [nsAccountLock]}
changes: persistentSearch
pageEntries: 200
connectTimeoutSeconds: 1
";

    #[test]
    fn what_a_file_says_is_taken_and_the_rest_has_its_default() {
        let access = DirectorySettings::read(WHOLE).unwrap().resolve().unwrap();
        assert_eq!(access.urls.len(), 2);
        assert_eq!(access.shape.tools.base, "ou=tools,dc=example,dc=org");
        assert_eq!(
            access.shape.tools.filter,
            "(&(objectClass=posixAccount)(cn=hub.*))"
        );
        assert_eq!(access.shape.admins.filter, "(cn=hub.operators)");
        assert_eq!(access.shape.attributes.member, "uniqueMember");
        assert_eq!(access.pace.connect, Duration::from_secs(1));
        assert_eq!(access.pace.changes, Changes::PersistentSearch);
        assert!(!format!("{access:?}").contains("secret"));
    }

    #[test]
    fn the_file_of_the_original_is_read() {
        let text =
            "servers: [ldaps://ldap.example.org]\nuser: cn=proxyagent,dc=example,dc=org\npassword: x\n";
        let settings = DirectorySettings::read(text).unwrap();
        assert_eq!(
            settings.bind_dn.as_deref(),
            Some("cn=proxyagent,dc=example,dc=org")
        );
        assert_eq!(settings.urls, ["ldaps://ldap.example.org"]);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let text = "tools: {filter: '(cn=', base: people}\nattributes: {user: 'no name'}\npageEntries: 0\n\
                    receiveTimeoutSeconds: 0\n";
        let error = DirectorySettings::read(text)
            .unwrap()
            .resolve()
            .unwrap_err()
            .to_string();
        for part in [
            "urls: name at least one",
            "bindDn: say as whom",
            "bindPasswordFile: name a file",
            "base: must not be empty",
            "project: must not be empty",
            "tools.base: \"people\"",
            "tools.filter: \"(cn=\"",
            "attributes.user: \"no name\"",
            "pageEntries: 0",
            "receiveTimeoutSeconds: 0",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        let unknown = DirectorySettings::read("url: [x]\n").unwrap_err().to_string();
        assert!(unknown.contains("url"), "{unknown}");
    }
}
