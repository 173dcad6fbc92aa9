//! What a server sends in a search, read without panics: entries, and what the controls beside them say.
//!
//! Pure. The library hands over trees of BER; what is not as the RFCs have it is an error here and never the end of
//! the program.

use std::collections::BTreeMap;

use ldap3::{
    ResultEntry,
    asn1::{PL, StructureTag},
    controls::Control,
};

use super::ber;
use crate::snapshot::Record;

/// The control beside an entry of a synchronisation (RFC 4533, 2.3).
const OID_SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
/// The message between entries of a synchronisation (RFC 4533, 2.5).
const OID_SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";
/// The control beside an entry of a persistent search (draft-ietf-ldapext-psearch, 5).
const OID_ENTRY_CHANGE: &str = "2.16.840.1.113730.3.4.7";
/// Paged results (RFC 2696).
const OID_PAGED: &str = "1.2.840.113556.1.4.319";

/// An entry with its attributes by lower-case name; none when the message is not one.
pub(super) fn record(entry: ResultEntry) -> Option<Record> {
    let mut parts = constructed(entry.0)?.into_iter();
    let dn = text(parts.next()?)?;
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for attribute in constructed(parts.next()?)? {
        let mut parts = constructed(attribute)?.into_iter();
        let name = text(parts.next()?)?.to_ascii_lowercase();
        let found = values.entry(name).or_default();
        for value in constructed(parts.next()?)? {
            // What is no text is a picture or a certificate, and of no use here.
            found.extend(String::from_utf8(primitive(value)?));
        }
    }
    Some(Record { dn, values })
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

fn text(tag: StructureTag) -> Option<String> {
    String::from_utf8(primitive(tag)?).ok()
}

fn value<'a>(controls: &'a [Control], oid: &str) -> Option<&'a [u8]> {
    controls
        .iter()
        .find(|control| control.1.ctype == oid)
        .and_then(|control| control.1.val.as_deref())
}

/// What a synchronisation says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is there, as it was.
    Present,
    /// It is there, and this is what it is.
    Put,
    /// It is gone.
    Gone,
}

/// A synchronisation's word about one entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyncState {
    pub(super) state: State,
    /// The entry's identity, sixteen bytes.
    pub(super) id: Vec<u8>,
    pub(super) cookie: Option<Vec<u8>>,
}

/// The word of a synchronisation that goes with an entry.
pub(super) fn sync_state(controls: &[Control]) -> Option<SyncState> {
    read_sync_state(value(controls, OID_SYNC_STATE)?)
}

pub(super) fn read_sync_state(mut bytes: &[u8]) -> Option<SyncState> {
    let mut inner = ber::take_if(&mut bytes, ber::SEQUENCE)?;
    let state = match ber::number(ber::take_if(&mut inner, ber::ENUMERATED)?)? {
        0 => State::Present,
        1 | 2 => State::Put,
        3 => State::Gone,
        _ => return None,
    };
    Some(SyncState {
        state,
        id: ber::take_if(&mut inner, ber::OCTETS)?.to_vec(),
        cookie: ber::take_if(&mut inner, ber::OCTETS).map(<[u8]>::to_vec),
    })
}

/// A synchronisation's word between entries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SyncInfo {
    /// A new cookie and nothing else.
    Cookie(Vec<u8>),
    /// The end of a phase; `done` says that what follows is news.
    Phase {
        cookie: Option<Vec<u8>>,
        /// Whether the phase named what is there, so that the rest is gone.
        present: bool,
        done: bool,
    },
    /// Identities of entries that are there as they were, or are gone.
    Identities {
        cookie: Option<Vec<u8>>,
        gone: bool,
        ids: Vec<Vec<u8>>,
    },
    /// Of another protocol.
    Foreign,
}

/// Reads the message between entries; none when it is broken.
pub(super) fn sync_info(entry: ResultEntry) -> Option<SyncInfo> {
    let (mut oid, mut value) = (None, None);
    for part in constructed(entry.0)? {
        match part.id {
            0 => oid = Some(text(part)?),
            1 => value = Some(primitive(part)?),
            _ => {}
        }
    }
    match oid {
        Some(oid) if oid == OID_SYNC_INFO => read_sync_info(&value?),
        _ => Some(SyncInfo::Foreign),
    }
}

pub(super) fn read_sync_info(mut bytes: &[u8]) -> Option<SyncInfo> {
    let (tag, mut inner) = ber::take(&mut bytes)?;
    if tag == 0x80 {
        return Some(SyncInfo::Cookie(inner.to_vec()));
    }
    let cookie = ber::take_if(&mut inner, ber::OCTETS).map(<[u8]>::to_vec);
    let flag = ber::take_if(&mut inner, ber::BOOLEAN);
    match tag {
        0xa1 | 0xa2 => Some(SyncInfo::Phase {
            cookie,
            present: tag == 0xa2,
            done: ber::flag(flag, true),
        }),
        0xa3 => {
            let mut set = ber::take_if(&mut inner, ber::SET)?;
            let mut ids = Vec::new();
            while !set.is_empty() {
                ids.push(ber::take_if(&mut set, ber::OCTETS)?.to_vec());
            }
            Some(SyncInfo::Identities {
                cookie,
                gone: ber::flag(flag, false),
                ids,
            })
        }
        _ => None,
    }
}

/// What a persistent search says of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntryChange {
    pub(super) gone: bool,
    /// The name that the entry had before it was renamed.
    pub(super) previous: Option<String>,
}

/// The word of a persistent search that goes with an entry.
pub(super) fn entry_change(controls: &[Control]) -> Option<EntryChange> {
    read_entry_change(value(controls, OID_ENTRY_CHANGE)?)
}

pub(super) fn read_entry_change(mut bytes: &[u8]) -> Option<EntryChange> {
    let mut inner = ber::take_if(&mut bytes, ber::SEQUENCE)?;
    let kind = ber::number(ber::take_if(&mut inner, ber::ENUMERATED)?)?;
    let previous = ber::take_if(&mut inner, ber::OCTETS);
    Some(EntryChange {
        gone: kind == 2,
        previous: previous.and_then(|name| String::from_utf8(name.to_vec()).ok()),
    })
}

/// The cookie of a page's end: empty after the last page, none where the server does not page.
pub(super) fn page_cookie(controls: &[Control]) -> Option<Vec<u8>> {
    let mut bytes = value(controls, OID_PAGED)?;
    let mut inner = ber::take_if(&mut bytes, ber::SEQUENCE)?;
    ber::take_if(&mut inner, ber::INTEGER)?;
    ber::take_if(&mut inner, ber::OCTETS).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_of_a_synchronisation_are_read() {
        let state = [&[0x30, 0x17, 0x0a, 1, 3, 4, 16][..], &[7; 16], b"\x04\x00"].concat();
        let state = read_sync_state(&state).unwrap();
        assert_eq!(
            (state.state, state.id.len(), state.cookie),
            (State::Gone, 16, Some(Vec::new()))
        );
        assert_eq!(
            read_sync_info(&[0x80, 1, b'c']),
            Some(SyncInfo::Cookie(vec![b'c']))
        );
        let done = SyncInfo::Phase {
            cookie: None,
            present: true,
            done: true,
        };
        assert_eq!(read_sync_info(&[0xa2, 0]), Some(done));
        let phase = SyncInfo::Phase {
            cookie: Some(vec![b'c']),
            present: false,
            done: false,
        };
        assert_eq!(read_sync_info(&[0xa1, 6, 4, 1, b'c', 1, 1, 0]), Some(phase));
        let ids = SyncInfo::Identities {
            cookie: None,
            gone: true,
            ids: vec![vec![1, 2]],
        };
        assert_eq!(
            read_sync_info(&[0xa3, 9, 1, 1, 0xff, 0x31, 4, 4, 2, 1, 2]),
            Some(ids)
        );
    }

    #[test]
    fn a_renamed_entry_has_its_name_from_before() {
        let change = read_entry_change(&[0x30, 9, 0x0a, 1, 8, 4, 4, b'u', b'=', b'a', b'b']).unwrap();
        assert_eq!((change.gone, change.previous.as_deref()), (false, Some("u=ab")));
        assert!(read_entry_change(&[0x30, 3, 0x0a, 1, 2]).unwrap().gone);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_is_the_end_of_the_program(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = read_sync_state(&bytes);
            let _ = read_sync_info(&bytes);
            let _ = read_entry_change(&bytes);
        }
    }
}
