//! Searches that are answered whole or not at all: page by page, in bounded time, and strict about their end.
//!
//! Used by every reading, the commands' too. **Invariant:** an answer that was cut short, refers elsewhere or is damaged
//! is an error, never a shorter truth.

use ldap3::{
    Ldap, LdapError, Scope, SearchOptions,
    controls::{PagedResults, RawControl},
};

use super::{
    access::Pace,
    failure::{LdapFailure, operation},
    message,
};
use crate::snapshot::Record;

/// Entries of one search at most: whoever answers with more is not a directory of accounts.
const MOST_ENTRIES: usize = 1_000_000;

/// What to search for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'a [String],
}

/// All entries of one search, with their attributes by lower-case name.
///
/// # Errors
/// When the answer is not whole.
pub(crate) async fn all(ldap: &mut Ldap, pace: &Pace, query: Query<'_>) -> Result<Vec<Record>, LdapFailure> {
    let mut records = Vec::new();
    let mut cookie = Vec::new();
    loop {
        cookie = page(ldap, pace, query, cookie, &mut records).await?;
        if cookie.is_empty() {
            return Ok(records);
        }
    }
}

/// One page; answers the cookie of the next, empty after the last.
async fn page(
    ldap: &mut Ldap,
    pace: &Pace,
    query: Query<'_>,
    cookie: Vec<u8>,
    records: &mut Vec<Record>,
) -> Result<Vec<u8>, LdapFailure> {
    let base = query.base;
    let failed = |error| failed(error, base, pace);
    let control: RawControl = PagedResults {
        size: pace.page_entries,
        cookie,
    }
    .into();
    let seconds = i32::try_from(pace.search.as_secs()).unwrap_or(i32::MAX);
    ldap.with_controls(vec![control])
        .with_search_options(SearchOptions::new().timelimit(seconds))
        .with_timeout(pace.receive);
    let mut stream = ldap
        .streaming_search(base, query.scope, query.filter, query.attributes)
        .await
        .map_err(failed)?;
    while let Some(entry) = stream.next().await.map_err(failed)? {
        let base = base.to_owned();
        if entry.is_ref() {
            return Err(LdapFailure::Referral { base });
        }
        if entry.is_intermediate() {
            continue;
        }
        if records.len() == MOST_ENTRIES {
            let what = "it has more than a million entries";
            return Err(LdapFailure::Damaged { base, what });
        }
        let what = "an entry is not one";
        records.push(message::record(entry).ok_or(LdapFailure::Damaged { base, what })?);
    }
    let end = stream
        .finish()
        .await
        .success()
        .map_err(operation("search", base))?;
    Ok(message::page_cookie(&end.ctrls).unwrap_or_default())
}

fn failed(error: LdapError, base: &str, pace: &Pace) -> LdapFailure {
    match error {
        LdapError::Timeout { .. } => LdapFailure::Slow {
            seconds: pace.receive.as_secs(),
        },
        error => operation("search", base)(error),
    }
}

/// The one entry of this name, where there is one.
///
/// # Errors
/// When the directory does not answer, or refuses.
pub(crate) async fn one(
    ldap: &mut Ldap,
    pace: &Pace,
    dn: &str,
    attributes: &[String],
) -> Result<Option<Record>, LdapFailure> {
    let query = Query {
        base: dn,
        scope: Scope::Base,
        filter: "(objectClass=*)",
        attributes,
    };
    match all(ldap, pace, query).await {
        Ok(found) => Ok(found.into_iter().next()),
        Err(failure) if failure.code() == Some(NO_SUCH_OBJECT) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// LDAP's answer when there is no entry of a name.
pub(crate) const NO_SUCH_OBJECT: u32 = 32;
