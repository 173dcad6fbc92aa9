//! A new tool in the directory, for `toolforge tool create`.
//!
//! Speaks LDAP as somebody who may write. The account service sees the new entry like any other.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use ldap3::{Ldap, LdapError, Mod, ldap_escape};
use toolforge_model::ToolName;

use crate::{
    config::{FIRST_TOOL_UID, LAST_TOOL_UID, LdapAccess},
    ldap::{self, LdapFailure},
    snapshot::Record,
};

/// How many names are proposed for one that nobody has.
const MOST_PROPOSALS: usize = 3;

/// LDAP's answer when an entry exists already.
const ENTRY_ALREADY_EXISTS: u32 = 68;

/// What differs between platforms.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Homes lie below this folder.
    pub home_root: PathBuf,
    /// The ids that may be given out, first and last.
    pub uids: (u32, u32),
}

impl Creation {
    /// The defaults, with homes below `home_root`.
    pub fn below(home_root: impl Into<PathBuf>) -> Self {
        Self {
            home_root: home_root.into(),
            uids: (FIRST_TOOL_UID, LAST_TOOL_UID),
        }
    }
}

/// A tool that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its name.
    pub name: ToolName,
    /// Its user and group id.
    pub uid: u32,
    /// Its home.
    pub home: PathBuf,
}

/// Why a tool was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is such a tool.
    #[error("the tool {name} exists already; `toolforge tool list` shows all, choose another name")]
    Exists {
        /// The name.
        name: ToolName,
    },
    /// A tool without anybody.
    #[error("a tool needs at least one maintainer; name one with --maintainer USER")]
    NoMaintainer,
    /// There is no such user.
    #[error("there is no user {user} in the directory{}", proposals(near))]
    UnknownUser {
        /// The name that was given.
        user: String,
        /// Names that are like it.
        near: Vec<String>,
    },
    /// All ids are taken.
    #[error("all user ids from {first} to {last} are taken; widen the range of ids for tools")]
    NoFreeUid {
        /// The first that may be given out.
        first: u32,
        /// The last that may be given out.
        last: u32,
    },
    /// The directory did not do its part.
    #[error(transparent)]
    Directory(#[from] LdapFailure),
}

fn proposals(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", near.join(" or "))
    }
}

/// Adds a tool: its group with the maintainers, then its account, which makes it live.
///
/// # Errors
/// When the name is taken, a maintainer does not exist, no id is free, or the directory fails.
pub async fn create_tool(
    access: &LdapAccess,
    creation: &Creation,
    name: &ToolName,
    maintainers: &[String],
) -> Result<Created, CreateError> {
    if maintainers.is_empty() {
        return Err(CreateError::NoMaintainer);
    }
    let mut ldap = ldap::connect(access).await?;
    let account_dn = format!(
        "uid={0}.{name},ou=people,ou=servicegroups,{1}",
        access.project, access.base
    );
    let group_dn = format!("cn={0}.{name},ou=servicegroups,{1}", access.project, access.base);
    if exists(&mut ldap, access, name).await? {
        return Err(CreateError::Exists { name: name.clone() });
    }
    let members = members(&mut ldap, access, maintainers).await?;
    let uid = free_uid(&mut ldap, access, creation.uids).await?;
    let home = creation.home_root.join(name.as_str());
    add_group(&mut ldap, &group_dn, access, name, uid, &members).await?;
    add_account(&mut ldap, &account_dn, access, name, uid, &home).await?;
    let _ = ldap.unbind().await;
    Ok(Created {
        name: name.clone(),
        uid,
        home,
    })
}

async fn exists(ldap: &mut Ldap, access: &LdapAccess, name: &ToolName) -> Result<bool, LdapFailure> {
    let base = format!("ou=people,ou=servicegroups,{}", access.base);
    let cn = format!("{}.{name}", access.project);
    let filter = format!("(&(objectClass=posixAccount)(cn={}))", ldap_escape(cn));
    Ok(!ldap::search(ldap, &base, &filter, &["cn"]).await?.is_empty())
}

async fn members(ldap: &mut Ldap, access: &LdapAccess, users: &[String]) -> Result<Vec<String>, CreateError> {
    let base = format!("ou=people,{}", access.base);
    let people = ldap::search(ldap, &base, "(&(objectClass=posixAccount)(uid=*))", &["uid"]).await?;
    let mut members = BTreeSet::new();
    for user in users {
        let entry = people.iter().find(|record| uid(record) == Some(user));
        let Some(entry) = entry else {
            let near = near(user, people.iter().filter_map(uid));
            return Err(CreateError::UnknownUser {
                user: user.clone(),
                near,
            });
        };
        members.insert(entry.dn.clone());
    }
    Ok(members.into_iter().collect())
}

fn uid(record: &Record) -> Option<&String> {
    record.values.get("uid").and_then(|values| values.first())
}

async fn free_uid(
    ldap: &mut Ldap,
    access: &LdapAccess,
    (first, last): (u32, u32),
) -> Result<u32, CreateError> {
    let taken: HashSet<u32> = ldap::search(
        ldap,
        &access.base,
        "(|(uidNumber=*)(gidNumber=*))",
        &["uidNumber", "gidNumber"],
    )
    .await?
    .iter()
    .flat_map(|record| record.values.values().flatten())
    .filter_map(|value| value.parse().ok())
    .collect();
    (first..=last)
        .find(|uid| !taken.contains(uid))
        .ok_or(CreateError::NoFreeUid { first, last })
}

async fn add_group(
    ldap: &mut Ldap,
    dn: &str,
    access: &LdapAccess,
    name: &ToolName,
    gid: u32,
    members: &[String],
) -> Result<(), LdapFailure> {
    let cn = format!("{}.{name}", access.project);
    let gid = gid.to_string();
    let attributes = vec![
        ("objectClass", HashSet::from(["posixGroup", "groupOfNames"])),
        ("cn", HashSet::from([cn.as_str()])),
        ("gidNumber", HashSet::from([gid.as_str()])),
        ("member", members.iter().map(String::as_str).collect()),
    ];
    let answer = ldap
        .add(dn, attributes)
        .await
        .map_err(|error| failed("add", dn, error))?;
    if answer.rc != ENTRY_ALREADY_EXISTS {
        return answer
            .success()
            .map(|_| ())
            .map_err(|error| failed("add", dn, error));
    }
    // A group without an account is what an interrupted attempt left behind.
    let changes = vec![
        Mod::Replace("member", members.iter().map(String::as_str).collect()),
        Mod::Replace("gidNumber", HashSet::from([gid.as_str()])),
    ];
    let answer = ldap
        .modify(dn, changes)
        .await
        .and_then(ldap3::LdapResult::success);
    answer.map(|_| ()).map_err(|error| failed("change", dn, error))
}

async fn add_account(
    ldap: &mut Ldap,
    dn: &str,
    access: &LdapAccess,
    name: &ToolName,
    uid: u32,
    home: &Path,
) -> Result<(), CreateError> {
    let account = format!("{}.{name}", access.project);
    let (id, home) = (uid.to_string(), home.to_string_lossy().into_owned());
    let attributes = vec![
        ("objectClass", HashSet::from(["person", "posixAccount"])),
        ("uid", HashSet::from([account.as_str()])),
        ("cn", HashSet::from([account.as_str()])),
        ("sn", HashSet::from([account.as_str()])),
        ("uidNumber", HashSet::from([id.as_str()])),
        ("gidNumber", HashSet::from([id.as_str()])),
        ("homeDirectory", HashSet::from([home.as_str()])),
        ("loginShell", HashSet::from(["/bin/bash"])),
    ];
    let answer = ldap
        .add(dn, attributes)
        .await
        .map_err(|error| failed("add", dn, error))?;
    if answer.rc == ENTRY_ALREADY_EXISTS {
        return Err(CreateError::Exists { name: name.clone() });
    }
    answer
        .success()
        .map(|_| ())
        .map_err(|error| failed("add", dn, error).into())
}

fn failed(step: &'static str, target: &str, source: LdapError) -> LdapFailure {
    LdapFailure::Operation {
        step,
        target: target.to_owned(),
        source: Box::new(source),
    }
}

/// The names that are most like `wanted`, at most two changes away or with the same beginning.
fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let mut found: Vec<(usize, &String)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&wanted, &lower);
            let begins = wanted.len() >= 3 && (lower.starts_with(&wanted) || wanted.starts_with(&lower));
            (distance <= 2 || begins).then_some((distance, name))
        })
        .collect();
    found.sort();
    found
        .into_iter()
        .take(MOST_PROPOSALS)
        .map(|(_, name)| name.clone())
        .collect()
}

/// How many letters have to be added, removed or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_proposed_nearest_first() {
        let names: Vec<String> = ["ada", "adam", "grace", "linus"].map(str::to_owned).to_vec();
        assert_eq!(near("adda", names.iter()), ["ada", "adam"]);
        assert_eq!(near("GRAC", names.iter()), ["grace"]);
        assert!(near("zzzzzz", names.iter()).is_empty());
    }

    #[test]
    fn an_unknown_user_is_named_with_proposals() {
        let error = CreateError::UnknownUser {
            user: "adda".to_owned(),
            near: vec!["ada".to_owned(), "adam".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "there is no user adda in the directory; did you mean ada or adam?"
        );
    }
}
