//! Locking and unlocking, in the directory's own way: the operational attributes of its password policy.

use std::collections::HashSet;

use jiff::Timestamp;
use ldap3::Mod;
use toolforge_model::ToolName;

use super::{
    error::EditError,
    session::{NO_SUCH_ATTRIBUTE, Session},
};
use crate::{ldap::LdapAccess, snapshot::Record};

/// Locks a tool from now on; false when it was locked already.
///
/// # Errors
/// When there is no such tool, or the directory fails.
pub async fn lock_tool(access: &LdapAccess, name: &ToolName) -> Result<bool, EditError> {
    let mut session = Session::open(access).await?;
    let account = session.known_account(name).await?;
    let changed = lock(&mut session, &account).await?;
    session.close().await;
    Ok(changed)
}

/// Unlocks a tool; false when it was not locked.
///
/// # Errors
/// When there is no such tool, or the directory fails.
pub async fn unlock_tool(access: &LdapAccess, name: &ToolName) -> Result<bool, EditError> {
    let mut session = Session::open(access).await?;
    let account = session.known_account(name).await?;
    let changed = unlock(&mut session, &account).await?;
    session.close().await;
    Ok(changed)
}

/// Locks a user from now on; false when they were locked already.
///
/// # Errors
/// When there is no such user, or the directory fails.
pub async fn lock_user(access: &LdapAccess, user: &str) -> Result<bool, EditError> {
    let mut session = Session::open(access).await?;
    let mut changed = false;
    for person in session.known_people(&[user.to_owned()]).await? {
        changed = lock(&mut session, &person).await?;
    }
    session.close().await;
    Ok(changed)
}

/// Unlocks a user; false when they were not locked.
///
/// # Errors
/// When there is no such user, or the directory fails.
pub async fn unlock_user(access: &LdapAccess, user: &str) -> Result<bool, EditError> {
    let mut session = Session::open(access).await?;
    let mut changed = false;
    for person in session.known_people(&[user.to_owned()]).await? {
        changed = unlock(&mut session, &person).await?;
    }
    session.close().await;
    Ok(changed)
}

/// The locking attributes that an entry has.
pub(super) fn locks<'a>(access: &'a LdapAccess, record: &Record) -> Vec<&'a str> {
    let is_set = |name: &&String| {
        let values = record.all(&name.to_ascii_lowercase());
        values.iter().any(|value| !value.eq_ignore_ascii_case("false"))
    };
    let locked = &access.shape.attributes.locked;
    locked.iter().filter(is_set).map(String::as_str).collect()
}

async fn lock(session: &mut Session<'_>, record: &Record) -> Result<bool, EditError> {
    let access = session.access;
    let Some(attribute) = access.shape.attributes.locked.first() else {
        return Ok(false);
    };
    if !locks(access, record).is_empty() {
        return Ok(false);
    }
    // 389ds has a flag of its own; the password policy's draft has the moment.
    let value = if attribute.eq_ignore_ascii_case("nsAccountLock") {
        "TRUE".to_owned()
    } else {
        Timestamp::now().strftime("%Y%m%d%H%M%SZ").to_string()
    };
    let change = Mod::Replace(attribute.as_str(), HashSet::from([value.as_str()]));
    session.modify(&record.dn, vec![change], NO_SUCH_ATTRIBUTE).await
}

async fn unlock(session: &mut Session<'_>, record: &Record) -> Result<bool, EditError> {
    let locks = locks(session.access, record);
    if locks.is_empty() {
        return Ok(false);
    }
    let changes = locks
        .into_iter()
        .map(|name| Mod::Replace(name, HashSet::new()))
        .collect();
    session.modify(&record.dn, changes, NO_SUCH_ATTRIBUTE).await
}
