//! A search that stays: by content synchronisation or as a persistent search.
//!
//! Pure; sessions run it. The two differ in what they send, not in how they are run.

use ldap3_proto::{LdapMsg, control::LdapControl, proto::LdapSearchRequest};

use crate::{
    access::Who,
    persist::Persist,
    sync::Sync,
    tree::{Changed, Refusal, Tree},
};

/// A search that tells of changes.
#[derive(Debug)]
pub(crate) enum Following {
    Sync(Sync),
    Persist(Persist),
}

impl Following {
    /// What a search asks for with its controls, if it does.
    pub(crate) fn of(
        msgid: i32,
        request: &LdapSearchRequest,
        controls: &[LdapControl],
        who: Who,
    ) -> Result<Option<Self>, Refusal> {
        if let Some(sync) = Sync::of(msgid, request, controls, who)? {
            return Ok(Some(Self::Sync(sync)));
        }
        Ok(Persist::of(msgid, request, controls, who)?.map(Self::Persist))
    }

    /// Whether the client stays for what comes.
    pub(crate) fn stays(&self) -> bool {
        match self {
            Self::Sync(sync) => sync.stays,
            Self::Persist(_) => true,
        }
    }

    /// What is sent at once.
    pub(crate) fn refresh(&self, tree: &Tree) -> Result<Vec<LdapMsg>, Refusal> {
        match self {
            Self::Sync(sync) => sync.refresh(tree),
            Self::Persist(persist) => persist.refresh(tree),
        }
    }

    /// What one change means to the client, if anything.
    pub(crate) fn change(&self, tree: &Tree, changed: &Changed) -> Option<LdapMsg> {
        match self {
            Self::Sync(sync) => sync.change(tree, changed),
            Self::Persist(persist) => persist.change(tree, changed),
        }
    }

    /// The end for a client that fell too far behind.
    pub(crate) fn fell_behind(&self) -> LdapMsg {
        match self {
            Self::Sync(sync) => sync.fell_behind(),
            Self::Persist(persist) => persist.fell_behind(),
        }
    }
}
