//! Persistent search (draft-ietf-ldapext-psearch-03): news from servers that do not synchronise, 389ds and its kin.
//!
//! The searches are begun first and everything is read after that, so that no change falls between. They do not tell
//! of entries that stop to match; the rare full reading finds those.

use futures::{FutureExt as _, StreamExt as _};
use ldap3::{Ldap, ResultEntry, Scope, controls::RawControl};

use super::{
    access::LdapAccess,
    ber,
    failure::{LdapFailure, operation},
    follow::{End, Teller},
    message,
    place::{self, Search},
    read,
    sync::messages,
};
use crate::picture::Picture;

/// Persistent search.
pub(super) const OID: &str = "2.16.840.1.113730.3.4.3";

/// Additions, removals, changes and renamings.
const ALL_CHANGES: u8 = 1 | 2 | 4 | 8;

/// Follows the changes until the connection ends or it is time to begin anew.
pub(super) async fn serve(
    ldap: &mut Ldap,
    access: &LdapAccess,
    teller: &mut Teller,
) -> Result<End, LdapFailure> {
    let searches = Search::all(access);
    let mut running = Vec::new();
    for (at, search) in searches.iter().enumerate() {
        let mut listener = ldap.clone();
        listener.with_controls(vec![control()]);
        let base = search.place.base.clone();
        let stream = listener
            .streaming_search(
                &base,
                Scope::Subtree,
                &search.place.filter,
                search.with_identity(),
            )
            .await
            .map_err(operation("follow", &base))?;
        running.push(messages(stream, base).map(move |message| (at, message)).boxed());
    }
    let mut messages = futures::stream::select_all(running);
    let (mut picture, _) = read::picture(ldap, access).await?;
    teller.tell(&mut picture);
    loop {
        tokio::select! {
            next = messages.next() => {
                let mut next = Some(next);
                while let Some(message) = next {
                    let (at, message) = message.ok_or(LdapFailure::StreamEnded)?;
                    news(&searches[at], message?, &mut picture)?;
                    next = messages.next().now_or_never();
                }
                teller.tell(&mut picture);
            }
            end = teller.end() => return end,
        }
    }
}

/// Asks for changes only, each with the word of what it is.
fn control() -> RawControl {
    let value = [
        ber::short(ber::INTEGER, &[ALL_CHANGES]),
        ber::short(ber::BOOLEAN, &[0xff]),
        ber::short(ber::BOOLEAN, &[0xff]),
    ]
    .concat();
    RawControl {
        ctype: OID.to_owned(),
        crit: true,
        val: Some(ber::short(ber::SEQUENCE, &value)),
    }
}

fn news(search: &Search, message: ResultEntry, picture: &mut Picture) -> Result<(), LdapFailure> {
    if message.is_intermediate() {
        return Ok(());
    }
    let damaged = |what| LdapFailure::Damaged {
        base: search.place.base.clone(),
        what,
    };
    let change = message::entry_change(&message.1)
        .ok_or_else(|| damaged("an entry comes without the word of the persistent search"))?;
    let record = message::record(message).ok_or_else(|| damaged("an entry is not one"))?;
    let id = place::identity(&record);
    // A removed entry may come without its attributes, and so without the identity that it had.
    if change.gone || change.previous.is_some() {
        let name = change.previous.as_deref().unwrap_or(&record.dn);
        picture.remove_named(search.kind, name);
    }
    if !change.gone {
        picture.put(search.kind, &id, &search.canonical(record));
    }
    Ok(())
}
