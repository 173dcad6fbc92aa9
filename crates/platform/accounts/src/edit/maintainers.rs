//! Who looks after a tool: members of its group.

use std::collections::HashSet;

use ldap3::Mod;
use toolforge_model::ToolName;

use super::{
    error::EditError,
    session::{NO_SUCH_ATTRIBUTE, Session, VALUE_EXISTS},
};
use crate::{ldap::LdapAccess, near::near, snapshot::Record};

/// Makes a user a maintainer of a tool; false when they are one already.
///
/// # Errors
/// When there is no such tool or user, or the directory fails.
pub async fn add_maintainer(access: &LdapAccess, name: &ToolName, user: &str) -> Result<bool, EditError> {
    let mut session = Session::open(access).await?;
    let group = group(&mut session, name).await?;
    let mut changed = false;
    for person in session.known_people(&[user.to_owned()]).await? {
        let member = Mod::Add(
            session.names().member.as_str(),
            HashSet::from([person.dn.as_str()]),
        );
        changed = session.modify(&group.dn, vec![member], VALUE_EXISTS).await?;
    }
    session.close().await;
    Ok(changed)
}

/// Ends a user's work for a tool; false when they are no maintainer of it. A user who has left the directory can be
/// removed too.
///
/// # Errors
/// When there is no such tool, the user is its only maintainer, or the directory fails.
pub async fn remove_maintainer(access: &LdapAccess, name: &ToolName, user: &str) -> Result<bool, EditError> {
    let mut session = Session::open(access).await?;
    let group = group(&mut session, name).await?;
    let attribute = session.names().member.to_ascii_lowercase();
    let members = group.all(&attribute);
    let Some(member) = members.iter().find(|dn| is_of(dn, &session.names().user, user)) else {
        let people = session.people().await?;
        if people.contains_key(user) {
            return Ok(false);
        }
        return Err(EditError::UnknownUser {
            user: user.to_owned(),
            near: near(user, people.keys().map(String::as_str)),
        });
    };
    if members.len() == 1 {
        return Err(EditError::LastMaintainer {
            user: user.to_owned(),
            tools: name.to_string(),
        });
    }
    let change = Mod::Delete(session.names().member.as_str(), HashSet::from([member.as_str()]));
    let changed = session.modify(&group.dn, vec![change], NO_SUCH_ATTRIBUTE).await?;
    session.close().await;
    Ok(changed)
}

async fn group(session: &mut Session<'_>, name: &ToolName) -> Result<Record, EditError> {
    // The account decides whether there is such a tool, and which names are like it.
    let account = session.known_account(name).await?;
    let group = session.group(name).await?;
    group.ok_or_else(|| EditError::NoGroup {
        name: name.clone(),
        account: account.dn,
    })
}

/// Whether a member's name begins with `ATTRIBUTE=USER`.
pub(super) fn is_of(dn: &str, attribute: &str, user: &str) -> bool {
    let first = dn.split(',').next().unwrap_or("");
    first.split_once('=').is_some_and(|(name, value)| {
        name.trim().eq_ignore_ascii_case(attribute) && value.trim().eq_ignore_ascii_case(user)
    })
}
