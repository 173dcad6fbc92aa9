//! A full reading: everything that matters, page by page, into a picture of its own.
//!
//! For commands, for servers that do not synchronise, and for the rare comparison with those.

use ldap3::{Ldap, Scope};

use super::{
    access::{LdapAccess, Pace},
    connect::connect,
    failure::LdapFailure,
    place::{self, Search},
    search::{self, Query},
};
use crate::{
    picture::Picture,
    snapshot::{Record, Snapshot},
};

/// Reads everything that the service needs to know.
///
/// # Errors
/// When the directory cannot be reached, does not let us in, does not have the bases, or does not answer to the end.
pub async fn read_directory(access: &LdapAccess) -> Result<Snapshot, LdapFailure> {
    let mut ldap = connect(access).await?;
    let (picture, _) = picture(&mut ldap, access).await?;
    let _ = ldap.unbind().await;
    Ok(picture.snapshot().clone())
}

/// The picture of now, and the latest moment at which one of its entries was changed, in the server's words.
pub(super) async fn picture(
    ldap: &mut Ldap,
    access: &LdapAccess,
) -> Result<(Picture, Option<String>), LdapFailure> {
    let mut picture = Picture::new(&access.project);
    let mut latest = None;
    for wanted in Search::all(access) {
        for found in entries(ldap, &access.pace, &wanted, &wanted.place.filter).await? {
            latest = latest.max(place::changed_at(&found).map(str::to_owned));
            let id = place::identity(&found);
            picture.put(wanted.kind, &id, &wanted.canonical(found));
        }
    }
    Ok((picture, latest))
}

/// The entries of a kind that also match `filter`.
pub(super) async fn entries(
    ldap: &mut Ldap,
    pace: &Pace,
    wanted: &Search,
    filter: &str,
) -> Result<Vec<Record>, LdapFailure> {
    let query = Query {
        base: &wanted.place.base,
        scope: Scope::Subtree,
        filter,
        attributes: &wanted.with_identity(),
    };
    search::all(ldap, pace, query).await
}
