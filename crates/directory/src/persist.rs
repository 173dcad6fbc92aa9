//! Persistent search (draft-ietf-ldapext-psearch-03): entries as they change, for clients that do not synchronise.
//!
//! Pure: a request and a change go in, messages come out. Sessions send them, and keep watching.

use ldap3_proto::{
    LdapMsg,
    control::LdapControl,
    proto::{LdapOp, LdapResult, LdapResultCode, LdapSearchRequest, LdapSearchResultEntry},
};

use crate::{
    access::Who,
    entry::Entry,
    name::Dn,
    search::{self, Selection},
    tree::{Changed, Refusal, Tree},
};

/// Asks for a persistent search.
pub(crate) const OID: &str = "2.16.840.1.113730.3.4.3";
/// Says what happened to an entry.
const OID_ENTRY_CHANGE: &str = "2.16.840.1.113730.3.4.7";

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;

const ADDED: u8 = 1;
const DELETED: u8 = 2;
const MODIFIED: u8 = 4;
const RENAMED: u8 = 8;

/// A persistent search.
#[derive(Debug)]
pub(crate) struct Persist {
    msgid: i32,
    base: Dn,
    request: LdapSearchRequest,
    who: Who,
    selection: Selection,
    /// Which kinds of change are asked for, as a sum.
    kinds: u8,
    /// Whether what is there already is left out.
    changes_only: bool,
    /// Whether each entry says what happened to it.
    says_what: bool,
}

impl Persist {
    /// The persistent search that a request asks for, if it does.
    pub(crate) fn of(
        msgid: i32,
        request: &LdapSearchRequest,
        controls: &[LdapControl],
        who: Who,
    ) -> Result<Option<Self>, Refusal> {
        let Some(value) = controls.iter().find_map(|control| match control {
            LdapControl::Unknown { oid, value, .. } if oid == OID => Some(value.as_deref().unwrap_or(&[])),
            _ => None,
        }) else {
            return Ok(None);
        };
        let (kinds, changes_only, says_what) = read(value).ok_or_else(|| {
            let message =
                "persistent search: the control is a sequence of changeTypes, changesOnly, returnECs";
            Refusal::new(LdapResultCode::ProtocolError, message)
        })?;
        Ok(Some(Self {
            msgid,
            base: search::check(request)?,
            selection: Selection::of(request),
            request: request.clone(),
            who,
            kinds,
            changes_only,
            says_what,
        }))
    }

    /// What is there already, unless only changes are asked for.
    pub(crate) fn refresh(&self, tree: &Tree) -> Result<Vec<LdapMsg>, Refusal> {
        let mut messages = Vec::new();
        for entry in tree.scope(&self.base, &self.request.scope, None)? {
            if !self.changes_only && self.belongs(entry) {
                messages.push(self.entry(tree, entry, None));
            }
        }
        Ok(messages)
    }

    /// What one change means to the client, if anything.
    pub(crate) fn change(&self, tree: &Tree, changed: &Changed) -> Option<LdapMsg> {
        let (entry, kind, previous) = match (&changed.old, &changed.new) {
            (None, None) => return None,
            (None, Some(new)) => (new, ADDED, None),
            (Some(old), None) => (old, DELETED, None),
            (Some(old), Some(new)) if old.dn != new.dn => (new, RENAMED, Some(old.dn.to_string())),
            (Some(_), Some(new)) => (new, MODIFIED, None),
        };
        (self.kinds & kind != 0 && self.belongs(entry))
            .then(|| self.entry(tree, entry, self.says_what.then(|| told(kind, previous))))
    }

    /// The end for a client that fell too far behind.
    pub(crate) fn fell_behind(&self) -> LdapMsg {
        self.message(
            LdapOp::SearchResultDone(LdapResult {
                code: LdapResultCode::Busy,
                matcheddn: String::new(),
                message: "changes came faster than they were read; search again".to_owned(),
                referral: Vec::new(),
            }),
            Vec::new(),
        )
    }

    fn belongs(&self, entry: &Entry) -> bool {
        search::belongs(entry, &self.base, &self.request, self.who)
    }

    fn entry(&self, tree: &Tree, entry: &Entry, what: Option<LdapControl>) -> LdapMsg {
        let shown: LdapSearchResultEntry =
            search::show(tree, entry, &self.selection, self.request.typesonly, self.who);
        self.message(LdapOp::SearchResultEntry(shown), what.into_iter().collect())
    }

    fn message(&self, op: LdapOp, ctrl: Vec<LdapControl>) -> LdapMsg {
        LdapMsg {
            msgid: self.msgid,
            op,
            ctrl,
        }
    }
}

/// The three values of the request's control, which is short.
fn read(value: &[u8]) -> Option<(u8, bool, bool)> {
    match value {
        [
            SEQUENCE,
            length,
            INTEGER,
            1,
            kinds,
            BOOLEAN,
            1,
            only,
            BOOLEAN,
            1,
            says,
        ] if usize::from(*length) == value.len() - 2 => Some((*kinds, *only != 0, *says != 0)),
        _ => None,
    }
}

fn told(kind: u8, previous: Option<String>) -> LdapControl {
    let mut content = vec![ENUMERATED, 1, kind];
    if let Some(name) = previous {
        content.extend(tagged(OCTETS, name.as_bytes()));
    }
    LdapControl::Unknown {
        oid: OID_ENTRY_CHANGE.to_owned(),
        criticality: false,
        value: Some(tagged(SEQUENCE, &content)),
    }
}

/// A BER value; two bytes of length are enough for every name.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let header = if length < 0x80 {
        vec![tag, low]
    } else {
        vec![tag, 0x82, high, low]
    };
    [header.as_slice(), &content[..usize::from(length)]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_is_read_as_the_draft_has_it() {
        assert_eq!(
            read(&[0x30, 9, 2, 1, 15, 1, 1, 0xff, 1, 1, 0]),
            Some((15, true, false))
        );
        for broken in [
            &[][..],
            &[0x30, 9, 2, 1, 15, 1, 1, 0xff, 1, 1],
            &[0x30, 0],
            &[0x31; 11],
        ] {
            assert_eq!(read(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn long_names_have_long_lengths() {
        let name = "x".repeat(300);
        let LdapControl::Unknown { value, .. } = told(RENAMED, Some(name)) else {
            unreachable!("it is made so")
        };
        let value = value.unwrap();
        assert_eq!(&value[..7], &[SEQUENCE, 0x82, 1, 51, ENUMERATED, 1, RENAMED]);
        assert_eq!(value.len(), 4 + 3 + 4 + 300);
    }
}
