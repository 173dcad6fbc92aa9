//! Cheap differences: for servers that tell nothing, a small question every few seconds.
//!
//! First whether anything changed at all (`contextCSN`, where the server has it), then which entries did
//! (`modifyTimestamp`). What is gone leaves no trace in either: when something changed and nothing of ours is newer, and
//! every so often in any case, everything is read.

use std::time::Duration;

use ldap3::Ldap;
use tokio::time::Instant;

use super::{
    access::LdapAccess,
    failure::LdapFailure,
    follow::{End, Teller},
    place::{self, Search},
    read, search,
};
use crate::picture::Picture;

/// How often removals are looked for where there may have been some.
const READ_EVERY: Duration = Duration::from_mins(1);

/// Where we are in the history of the directory.
struct Place {
    picture: Picture,
    /// The latest change of an entry that was seen.
    latest: Option<String>,
    /// What the server calls its state; none where it does not say.
    state: Option<Vec<String>>,
    /// When everything was read.
    read: Instant,
    /// Whether something may have been removed since then.
    owed: bool,
}

/// Asks for differences until the connection ends or it is time to begin anew.
pub(super) async fn serve(
    ldap: &mut Ldap,
    access: &LdapAccess,
    teller: &mut Teller,
) -> Result<End, LdapFailure> {
    let searches = Search::all(access);
    // The state is asked for first: what changes while everything is read is then asked for again.
    let state = state(ldap, access).await?;
    let (picture, latest) = read::picture(ldap, access).await?;
    let mut here = Place {
        picture,
        latest,
        state,
        read: Instant::now(),
        owed: false,
    };
    loop {
        teller.tell(&mut here.picture);
        tokio::select! {
            () = tokio::time::sleep(access.pace.differences_every) => {}
            end = teller.end() => return end,
        }
        look(ldap, access, &searches, &mut here).await?;
    }
}

/// Looks once, as little as will do.
async fn look(
    ldap: &mut Ldap,
    access: &LdapAccess,
    searches: &[Search; 4],
    here: &mut Place,
) -> Result<(), LdapFailure> {
    let now = state(ldap, access).await?;
    let unchanged = now.is_some() && now == here.state;
    if !unchanged {
        let found = differences(ldap, access, searches, here).await?;
        // A change of which nothing is seen is most likely a removal.
        let removal = now.is_some() && !found;
        here.owed = true;
        if removal {
            return read_all(ldap, access, here, now).await;
        }
        here.state.clone_from(&now);
    }
    if here.owed && here.read.elapsed() >= READ_EVERY {
        read_all(ldap, access, here, now).await?;
    }
    Ok(())
}

async fn read_all(
    ldap: &mut Ldap,
    access: &LdapAccess,
    here: &mut Place,
    state: Option<Vec<String>>,
) -> Result<(), LdapFailure> {
    let (mut picture, latest) = read::picture(ldap, access).await?;
    picture.follows(&here.picture);
    *here = Place {
        picture,
        latest: latest.max(here.latest.take()),
        // A server that does not tell of its state may always have removed something.
        owed: state.is_none(),
        state,
        read: Instant::now(),
    };
    Ok(())
}

async fn state(ldap: &mut Ldap, access: &LdapAccess) -> Result<Option<Vec<String>>, LdapFailure> {
    let asked = ["contextCSN".to_owned()];
    let found = search::one(ldap, &access.pace, &access.base, &asked).await?;
    Ok(found
        .map(|record| record.all("contextcsn").to_vec())
        .filter(|state| !state.is_empty()))
}

/// Takes what changed since the latest change that was seen; says whether there was any.
async fn differences(
    ldap: &mut Ldap,
    access: &LdapAccess,
    searches: &[Search; 4],
    here: &mut Place,
) -> Result<bool, LdapFailure> {
    let Some(since) = here.latest.clone() else {
        return Ok(false);
    };
    for wanted in searches {
        let since = ldap3::ldap_escape(since.as_str());
        let filter = format!("(&{}(modifyTimestamp>={since}))", wanted.place.filter);
        for found in read::entries(ldap, &access.pace, wanted, &filter).await? {
            here.latest = here
                .latest
                .take()
                .max(place::changed_at(&found).map(str::to_owned));
            let id = place::identity(&found);
            here.picture.put(wanted.kind, &id, &wanted.canonical(found));
        }
    }
    Ok(here.picture.has_changed())
}
