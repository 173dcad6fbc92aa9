//! People of the directory: created, listed, deleted.

use std::{collections::HashSet, path::PathBuf};

use ldap3::{Mod, ldap_escape};

use super::{
    Creation,
    error::EditError,
    lock::locks,
    session::{NO_SUCH_ATTRIBUTE, Session},
};
use crate::{ldap::LdapAccess, near::near, snapshot};

/// A user to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The login name.
    pub user: String,
    /// The name to be shown.
    pub name: String,
}

/// A user of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub user: String,
    /// The name to be shown.
    pub name: String,
    /// The user id, where it is a number.
    pub uid: Option<u32>,
    /// The home.
    pub home: PathBuf,
    /// Whether the directory has locked them.
    pub locked: bool,
}

/// Adds a user, with an id of their own.
///
/// # Errors
/// When the name is taken or cannot be one, no id is free, or the directory fails.
pub async fn create_user(access: &LdapAccess, creation: &Creation, new: &NewUser) -> Result<User, EditError> {
    let user = new.user.as_str();
    if !snapshot::is_object_name(user) || user.len() > 32 {
        let rule = "lower-case letters, digits and inner hyphens, at most 32";
        return Err(EditError::UserName {
            user: user.to_owned(),
            rule,
        });
    }
    let mut session = Session::open(access).await?;
    let uid = session.free_uid(creation.uids).await?;
    let names = session.names();
    let dn = format!("{}={user},{}", names.user, access.shape.people.base);
    let (id, home) = (uid.to_string(), creation.home_root.join(user));
    let shown = if new.name.trim().is_empty() {
        user
    } else {
        new.name.trim()
    };
    let family = shown.rsplit(' ').next().unwrap_or(shown);
    let path = home.to_string_lossy().into_owned();
    let attributes = vec![
        ("objectClass", HashSet::from(["inetOrgPerson", "posixAccount"])),
        (names.user.as_str(), HashSet::from([user])),
        (names.name.as_str(), HashSet::from([shown])),
        ("sn", HashSet::from([family])),
        (names.uid_number.as_str(), HashSet::from([id.as_str()])),
        (names.gid_number.as_str(), HashSet::from([id.as_str()])),
        (names.home.as_str(), HashSet::from([path.as_str()])),
        ("loginShell", HashSet::from(["/bin/bash"])),
    ];
    if !session.add(&dn, attributes).await? {
        return Err(EditError::UserExists {
            user: user.to_owned(),
        });
    }
    session.close().await;
    Ok(User {
        user: user.to_owned(),
        name: shown.to_owned(),
        uid: Some(uid),
        home,
        locked: false,
    })
}

/// All users, by login name.
///
/// # Errors
/// When the directory fails.
pub async fn list_users(access: &LdapAccess) -> Result<Vec<User>, EditError> {
    let mut session = Session::open(access).await?;
    let people = session.people().await?;
    let names = session.names();
    let text = |record: &snapshot::Record, name: &str| {
        record
            .first(&name.to_ascii_lowercase())
            .unwrap_or_default()
            .to_owned()
    };
    let users = people
        .into_iter()
        .map(|(user, record)| User {
            user,
            name: text(&record, &names.name),
            uid: text(&record, &names.uid_number).parse().ok(),
            home: text(&record, &names.home).into(),
            locked: !locks(access, &record).is_empty(),
        })
        .collect();
    session.close().await;
    Ok(users)
}

/// One user.
///
/// # Errors
/// When there is no such user, or the directory fails.
pub async fn find_user(access: &LdapAccess, user: &str) -> Result<User, EditError> {
    let users = list_users(access).await?;
    if let Some(found) = users.iter().find(|found| found.user == user) {
        return Ok(found.clone());
    }
    Err(EditError::UnknownUser {
        user: user.to_owned(),
        near: near(user, users.iter().map(|found| found.user.as_str())),
    })
}

/// Removes a user from the directory, from the groups first that they are in.
///
/// # Errors
/// When there is no such user, they are the only maintainer of a tool, or the directory fails.
pub async fn delete_user(access: &LdapAccess, user: &str) -> Result<(), EditError> {
    let mut session = Session::open(access).await?;
    for person in session.known_people(&[user.to_owned()]).await? {
        let names = session.names();
        let (member, place) = (names.member.as_str(), &access.shape.service_groups);
        let filter = format!(
            "(&{}({member}={}))",
            place.filter,
            ldap_escape(person.dn.as_str())
        );
        let groups = session
            .search(&place.base, &filter, &[&names.name, member])
            .await?;
        let alone: Vec<&str> = groups
            .iter()
            .filter(|group| group.all(&member.to_ascii_lowercase()).len() == 1)
            .filter_map(|group| group.first(&names.name.to_ascii_lowercase()))
            .map(|name| name.split_once('.').map_or(name, |(_, tool)| tool))
            .collect();
        if !alone.is_empty() {
            return Err(EditError::LastMaintainer {
                user: user.to_owned(),
                tools: alone.join(", "),
            });
        }
        for group in &groups {
            let change = Mod::Delete(member, HashSet::from([person.dn.as_str()]));
            session.modify(&group.dn, vec![change], NO_SUCH_ATTRIBUTE).await?;
        }
        session.delete(&person.dn).await?;
    }
    session.close().await;
    Ok(())
}
