//! Content synchronisation (RFC 4533): first what a client lacks, then, if it stays, each change as it happens.
//!
//! Pure: a tree, a request and a cookie go in, messages come out. Sessions send them, and keep watching.

use ldap3_proto::{
    LdapMsg,
    control::LdapControl,
    proto::{
        LdapIntermediateResponse, LdapOp, LdapResult, LdapResultCode, LdapSearchRequest,
        LdapSearchResultEntry, SyncRequestMode, SyncStateValue,
    },
};
use uuid::Uuid;

use crate::{
    access::Who,
    entry::Entry,
    name::Dn,
    search::{self, Selection},
    tree::{Changed, Refusal, Tree},
};

/// Identities per message of a set, so that a message stays small (16 bytes each and a little).
const IDENTITIES_PER_MESSAGE: usize = 1000;

/// A synchronising search.
#[derive(Debug)]
pub(crate) struct Sync {
    msgid: i32,
    base: Dn,
    request: LdapSearchRequest,
    who: Who,
    selection: Selection,
    cookie: Option<Vec<u8>>,
    /// Whether the client stays for what comes.
    pub(crate) stays: bool,
}

impl Sync {
    /// The synchronisation that a search asks for, if it does.
    pub(crate) fn of(
        msgid: i32,
        request: &LdapSearchRequest,
        controls: &[LdapControl],
        who: Who,
    ) -> Result<Option<Self>, Refusal> {
        let Some((mode, cookie)) = controls.iter().find_map(|control| match control {
            LdapControl::SyncRequest { mode, cookie, .. } => Some((mode, cookie)),
            _ => None,
        }) else {
            return Ok(None);
        };
        Ok(Some(Self {
            msgid,
            base: search::check(request)?,
            selection: Selection::of(request),
            request: request.clone(),
            who,
            cookie: cookie.clone(),
            stays: *mode == SyncRequestMode::RefreshAndPersist,
        }))
    }

    /// Everything that brings the client up to date; ends with the result, unless the client stays.
    ///
    /// With a cookie whose removals since are all remembered, removals are named; otherwise the client learns
    /// which of its entries are still there, and infers the rest.
    pub(crate) fn refresh(&self, tree: &Tree) -> Result<Vec<LdapMsg>, Refusal> {
        let since = self
            .cookie
            .as_deref()
            .and_then(|cookie| read_cookie(cookie, tree.identity()));
        let removed = since.and_then(|since| tree.removed_since(since));
        let mut messages = Vec::new();
        let (mut present, mut gone) = (Vec::new(), removed.clone().unwrap_or_default());
        for entry in tree.scope(&self.base, &self.request.scope, None)? {
            let new = since.is_none_or(|since| entry.csn() > since);
            match (search::belongs(entry, &self.base, &self.request, self.who), new) {
                (true, true) => messages.push(self.entry(tree, entry, SyncStateValue::Add, None)),
                (true, false) => present.push(entry.uuid()),
                // It may have belonged before; naming it as gone harms nobody who never had it.
                (false, true) if removed.is_some() => gone.push(entry.uuid()),
                (false, _) => {}
            }
        }
        let deletes = removed.is_some();
        for identities in if deletes { gone } else { present }.chunks(IDENTITIES_PER_MESSAGE) {
            messages.push(self.intermediate(LdapIntermediateResponse::SyncInfoIdSet {
                cookie: None,
                refresh_deletes: deletes,
                syncuuids: identities.to_vec(),
            }));
        }
        messages.push(self.end_of_refresh(cookie(tree), deletes));
        Ok(messages)
    }

    fn end_of_refresh(&self, cookie: Vec<u8>, deletes: bool) -> LdapMsg {
        let cookie = Some(cookie);
        if !self.stays {
            let control = LdapControl::SyncDone {
                cookie,
                refresh_deletes: deletes,
            };
            return self.message(LdapOp::SearchResultDone(success()), vec![control]);
        }
        self.intermediate(if deletes {
            LdapIntermediateResponse::SyncInfoRefreshDelete { cookie, done: true }
        } else {
            LdapIntermediateResponse::SyncInfoRefreshPresent { cookie, done: true }
        })
    }

    /// What one change means to a client that stayed, if anything.
    pub(crate) fn change(&self, tree: &Tree, changed: &Changed) -> Option<LdapMsg> {
        let belongs =
            |entry: &&std::sync::Arc<Entry>| search::belongs(entry, &self.base, &self.request, self.who);
        let old = changed.old.as_ref().filter(belongs);
        let new = changed.new.as_ref().filter(belongs);
        let (entry, state) = match (old, new) {
            (None, None) => return None,
            (None, Some(new)) => (new, SyncStateValue::Add),
            (Some(_), Some(new)) => (new, SyncStateValue::Modify),
            (Some(old), None) => (old, SyncStateValue::Delete),
        };
        let cookie = write_cookie(tree.identity(), &changed.csn);
        Some(self.entry(tree, entry, state, Some(cookie)))
    }

    /// The end for a client that fell too far behind: it has to begin again.
    pub(crate) fn fell_behind(&self) -> LdapMsg {
        let result = LdapResult {
            code: LdapResultCode::EsyncRefreshRequired,
            matcheddn: String::new(),
            message: "changes came faster than they were read; synchronise again".to_owned(),
            referral: Vec::new(),
        };
        self.message(LdapOp::SearchResultDone(result), Vec::new())
    }

    fn entry(&self, tree: &Tree, entry: &Entry, state: SyncStateValue, cookie: Option<Vec<u8>>) -> LdapMsg {
        let shown = if state == SyncStateValue::Delete {
            LdapSearchResultEntry {
                dn: entry.dn.to_string(),
                attributes: Vec::new(),
            }
        } else {
            search::show(tree, entry, &self.selection, self.request.typesonly, self.who)
        };
        let control = LdapControl::SyncState {
            state,
            entry_uuid: entry.uuid(),
            cookie,
        };
        self.message(LdapOp::SearchResultEntry(shown), vec![control])
    }

    fn intermediate(&self, response: LdapIntermediateResponse) -> LdapMsg {
        self.message(LdapOp::IntermediateResponse(response), Vec::new())
    }

    fn message(&self, op: LdapOp, ctrl: Vec<LdapControl>) -> LdapMsg {
        LdapMsg {
            msgid: self.msgid,
            op,
            ctrl,
        }
    }
}

fn success() -> LdapResult {
    LdapResult {
        code: LdapResultCode::Success,
        matcheddn: String::new(),
        message: String::new(),
        referral: Vec::new(),
    }
}

fn cookie(tree: &Tree) -> Vec<u8> {
    write_cookie(tree.identity(), &tree.csn())
}

/// Which directory, and which of its changes was the last.
fn write_cookie(directory: Uuid, csn: &str) -> Vec<u8> {
    format!("directory={directory},csn={csn}").into_bytes()
}

/// The change that a cookie stands for; none when it is of another directory, or nonsense.
fn read_cookie(cookie: &[u8], directory: Uuid) -> Option<&str> {
    let (identity, csn) = std::str::from_utf8(cookie)
        .ok()?
        .strip_prefix("directory=")?
        .split_once(",csn=")?;
    (identity.parse() == Ok(directory)).then_some(csn)
}
