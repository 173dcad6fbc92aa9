//! What the directory says: the tools and the admins, each whole or with the reason why it is not.
//!
//! Pure: records go in, accounts come out. `ldap` reads the records, `picture.rs` keeps them and asks for the accounts,
//! the service acts on these.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use toolforge_model::{Maintainer, ToolName};

use crate::account::Account;

#[cfg(test)]
mod tests;

/// A tool as the directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: ToolName,
    /// Its user id, which is its group id too.
    pub uid: u32,
    /// Its home.
    pub home: PathBuf,
    /// Who looks after it, by user name.
    pub maintainers: Vec<Maintainer>,
    /// Whether the directory has locked it: it keeps what it has and may use none of it.
    pub locked: bool,
}

/// An admin of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The user name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The home.
    pub home: PathBuf,
    /// Whether the directory has locked the user: as long as it has, they are no admin.
    pub locked: bool,
}

/// Why an account of the directory cannot be used: the attribute, the rule, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attribute} {rule}; correct it in the directory's entry {dn}")]
pub struct Unusable {
    /// The entry.
    pub dn: String,
    /// The attribute.
    pub attribute: &'static str,
    /// The rule that it breaks, with what was found.
    pub rule: String,
    /// Whether the directory has locked the account all the same.
    pub locked: bool,
}

/// Everything that the directory says at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The tools by name.
    pub tools: BTreeMap<ToolName, Result<Tool, Unusable>>,
    /// The admins by user name.
    pub admins: BTreeMap<String, Result<Admin, Unusable>>,
    /// The user names of everybody.
    pub users: BTreeSet<String>,
    /// Accounts with a name that no namespace can have.
    pub skipped: BTreeSet<String>,
}

impl Snapshot {
    /// All accounts that can be used or corrected.
    pub(crate) fn accounts(&self) -> BTreeSet<Account> {
        let tools = self.tools.keys().cloned().map(Account::Tool);
        tools
            .chain(self.admins.keys().cloned().map(Account::Admin))
            .collect()
    }
}

impl Snapshot {
    /// The accounts of which this says something else than an older one, those among them that only one of the two has.
    pub(crate) fn differences(&self, older: &Self) -> Vec<Account> {
        let tools = different(&self.tools, &older.tools).map(|name| Account::Tool(name.clone()));
        let admins = different(&self.admins, &older.admins).map(|name| Account::Admin(name.clone()));
        tools.chain(admins).collect()
    }
}

/// The keys that have another value in one map than in the other, or in one of them only.
fn different<'a, K: Ord, V: PartialEq>(
    new: &'a BTreeMap<K, V>,
    old: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = &'a K> {
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    let gone = old.iter().filter(|(key, _)| !new.contains_key(*key));
    changed.chain(gone).map(|(key, _)| key)
}

/// What is said of accounts with a name that no namespace can have.
pub(crate) const NAME_RULE: &str =
    "is left aside: a name has lower-case letters, digits and inner dashes, and at most 53 of them";

/// The operational attributes that say that an account is locked (`draft-behera-ldap-password-policy`), in lower case.
const LOCKING: [&str; 2] = ["pwdaccountlockedtime", "pwdpolicysubentry"];

/// One entry as LDAP sends it; names of attributes in lower case, and the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) dn: String,
    pub(crate) values: BTreeMap<String, Vec<String>>,
}

impl Record {
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether the password policy has locked the account: since a moment, or by a policy of its own (the original's rule).
    pub(crate) fn locked(&self) -> bool {
        LOCKING.iter().any(|name| !self.all(name).is_empty())
    }

    fn id(&self, attribute: &'static str) -> Result<u32, Unusable> {
        let text = self.first(&attribute.to_ascii_lowercase()).unwrap_or("");
        // Root's files and processes are nobody's to give away, and the last number means "none" to the system.
        text.parse()
            .ok()
            .filter(|id| (1..u32::MAX).contains(id))
            .ok_or_else(|| {
                self.unusable(
                    attribute,
                    format!("has to be a number from 1 to 4294967294, not {text:?}"),
                )
            })
    }

    fn home(&self) -> Result<PathBuf, Unusable> {
        let text = self.first("homedirectory").unwrap_or("");
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(PathBuf::from(text));
        }
        Err(self.unusable(
            "homeDirectory",
            format!("has to be an absolute path, not {text:?}"),
        ))
    }

    fn unusable(&self, attribute: &'static str, rule: String) -> Unusable {
        Unusable {
            dn: self.dn.clone(),
            attribute,
            rule,
            locked: self.locked(),
        }
    }
}

/// The tool of an account's entry.
pub(crate) fn tool(name: ToolName, record: &Record, maintainers: Vec<Maintainer>) -> Result<Tool, Unusable> {
    Ok(Tool {
        name,
        uid: record.id("uidNumber")?,
        home: record.home()?,
        maintainers,
        locked: record.locked(),
    })
}

/// The admin of a person's entry.
pub(crate) fn admin(name: &str, record: &Record) -> Result<Admin, Unusable> {
    Ok(Admin {
        name: name.to_owned(),
        uid: record.id("uidNumber")?,
        gid: record.id("gidNumber")?,
        home: record.home()?,
        locked: record.locked(),
    })
}

/// The people behind login names, with the names that `person` has of them.
pub(crate) fn maintainers<'a>(
    members: &[String],
    person: impl Fn(&str) -> Option<&'a Record>,
) -> Vec<Maintainer> {
    let mut found: Vec<Maintainer> = members
        .iter()
        .map(|uid| Maintainer {
            uid: uid.clone(),
            name: person(uid)
                .and_then(|record| record.first("cn"))
                .unwrap_or(uid)
                .to_owned(),
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The login names of a group's members.
pub(crate) fn users_of(group: &Record) -> Vec<String> {
    group.all("member").iter().filter_map(|dn| user_of(dn)).collect()
}

/// The user name in a member's name: the value of its first part, `uid=ada,ou=people,...`.
fn user_of(dn: &str) -> Option<String> {
    let (attribute, rest) = dn.split_once('=')?;
    if !attribute.trim().eq_ignore_ascii_case("uid") {
        return None;
    }
    let mut value = String::new();
    let mut escaped = false;
    for c in rest.chars() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            ',' | '+' => break,
            c => value.push(c),
        }
    }
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Whether a user name can be the name of a cluster-wide object (RFC 1123 subdomain, with room for a suffix).
pub(crate) fn is_object_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 200
        && name.starts_with(allowed)
        && name.ends_with(allowed)
        && name.chars().all(|c| allowed(c) || c == '-')
}
