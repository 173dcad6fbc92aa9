//! A new tool in the directory, and a tool's end there.

use std::{collections::HashSet, path::PathBuf};

use ldap3::Mod;
use toolforge_model::ToolName;

use super::{
    Creation,
    error::EditError,
    session::{NO_SUCH_OBJECT, Session},
};
use crate::ldap::LdapAccess;

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

/// Adds a tool: its group with the maintainers, then its account, which makes it live.
///
/// # Errors
/// When the name is taken, a maintainer does not exist, no id is free, or the directory fails.
pub async fn create_tool(
    access: &LdapAccess,
    creation: &Creation,
    name: &ToolName,
    maintainers: &[String],
) -> Result<Created, EditError> {
    if maintainers.is_empty() {
        return Err(EditError::NoMaintainer);
    }
    let mut session = Session::open(access).await?;
    if session.account(name).await?.is_some() {
        return Err(EditError::Exists { name: name.clone() });
    }
    let people = session.known_people(maintainers).await?;
    let members: Vec<&str> = people.iter().map(|person| person.dn.as_str()).collect();
    let uid = session.free_uid(creation.uids).await?;
    let home = creation.home_root.join(name.as_str());
    add_group(&mut session, name, uid, &members).await?;
    add_account(&mut session, name, uid, &home.to_string_lossy()).await?;
    session.close().await;
    Ok(Created {
        name: name.clone(),
        uid,
        home,
    })
}

async fn add_group(
    session: &mut Session<'_>,
    name: &ToolName,
    gid: u32,
    members: &[&str],
) -> Result<(), EditError> {
    let (names, full) = (session.names(), session.full_name(name));
    let dn = format!(
        "{}={full},{}",
        names.name, session.access.shape.service_groups.base
    );
    let gid = gid.to_string();
    let members: HashSet<&str> = members.iter().copied().collect();
    let attributes = vec![
        ("objectClass", HashSet::from(["posixGroup", "groupOfNames"])),
        (names.name.as_str(), HashSet::from([full.as_str()])),
        (names.gid_number.as_str(), HashSet::from([gid.as_str()])),
        (names.member.as_str(), members.clone()),
    ];
    if session.add(&dn, attributes).await? {
        return Ok(());
    }
    // A group without an account is what an interrupted attempt left behind.
    let changes = vec![
        Mod::Replace(names.member.as_str(), members),
        Mod::Replace(names.gid_number.as_str(), HashSet::from([gid.as_str()])),
    ];
    session.modify(&dn, changes, NO_SUCH_OBJECT).await.map(|_| ())
}

async fn add_account(
    session: &mut Session<'_>,
    name: &ToolName,
    uid: u32,
    home: &str,
) -> Result<(), EditError> {
    let (names, full) = (session.names(), session.full_name(name));
    let dn = format!("{}={full},{}", names.user, session.access.shape.tools.base);
    let id = uid.to_string();
    let attributes = vec![
        ("objectClass", HashSet::from(["person", "posixAccount"])),
        (names.user.as_str(), HashSet::from([full.as_str()])),
        (names.name.as_str(), HashSet::from([full.as_str()])),
        ("sn", HashSet::from([full.as_str()])),
        (names.uid_number.as_str(), HashSet::from([id.as_str()])),
        (names.gid_number.as_str(), HashSet::from([id.as_str()])),
        (names.home.as_str(), HashSet::from([home])),
        ("loginShell", HashSet::from(["/bin/bash"])),
    ];
    if session.add(&dn, attributes).await? {
        return Ok(());
    }
    Err(EditError::Exists { name: name.clone() })
}

/// Removes a tool from the directory: its account, which is its end, then its group.
///
/// # Errors
/// When there is no such tool, or the directory fails.
pub async fn delete_tool(access: &LdapAccess, name: &ToolName) -> Result<(), EditError> {
    let mut session = Session::open(access).await?;
    let group = session.group(name).await?;
    match session.account(name).await? {
        Some(account) => {
            session.delete(&account.dn).await?;
        }
        // An interrupted attempt may have left the group.
        None if group.is_some() => {}
        None => {
            session.known_account(name).await?;
        }
    }
    if let Some(group) = group {
        session.delete(&group.dn).await?;
    }
    session.close().await;
    Ok(())
}
