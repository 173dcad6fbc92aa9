//! What the maintainers of Ingresses are owed: a status that is true, and a reason where something is not served. Pure.
//!
//! **Invariant:** a reason is said when it is another one than was said last, and while it stands once in a round of
//! [`ROUND`], since Kubernetes forgets Events after an hour; a status is asked for once, until the Ingress is heard of again.

use std::collections::BTreeMap;

use toolforge_routing::{ObjectKey, Reason, Reception};
use xxhash_rust::xxh3::xxh3_64;

/// In so many turns every reason that still stands is said again.
pub(crate) const ROUND: u64 = 30;

/// What the status of an Ingress says of where it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusIs {
    /// Where this gateway is.
    Ours,
    /// Nothing.
    Empty,
    /// Something else.
    Other,
    /// Nothing is written into statuses.
    NoMatter,
}

/// What a status is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Where this gateway is.
    Published,
    /// Nothing.
    Withdrawn,
}

/// What is to be told of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) key: ObjectKey,
    pub(crate) status: Option<Wanted>,
    pub(crate) reason: Option<Reason>,
}

impl Reply {
    /// The two as one: what is newer counts, but for a reason that it does not repeat, since it has been given.
    pub(crate) fn followed_by(self, newer: Self) -> Self {
        let still_holds = newer.status != Some(Wanted::Published);
        Self {
            status: newer.status.or(self.status),
            reason: newer.reason.or(self.reason.filter(|_| still_holds)),
            key: newer.key,
        }
    }
}

/// What was told and what is known, by Ingress.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// The statuses that are not ours.
    statuses: BTreeMap<ObjectKey, StatusIs>,
    /// What was asked for since the Ingress was heard of.
    asked: BTreeMap<ObjectKey, Wanted>,
    /// Why something is not served, as it was said last.
    said: BTreeMap<ObjectKey, Reason>,
}

impl Replies {
    /// Notes what the status of an Ingress says.
    pub(crate) fn hear(&mut self, key: ObjectKey, status: StatusIs) {
        self.asked.remove(&key);
        if status == StatusIs::Ours {
            self.statuses.remove(&key);
        } else {
            self.statuses.insert(key, status);
        }
    }

    /// The Ingress is gone.
    pub(crate) fn forget(&mut self, key: &ObjectKey) {
        self.statuses.remove(key);
        self.asked.remove(key);
        self.said.remove(key);
    }

    /// What is said again in this turn, as it still stands: in each turn a part, so that ten thousand Ingresses that are not
    /// served are no load.
    pub(crate) fn repeated(&self, turn: u64) -> impl Iterator<Item = Reply> {
        let due = self.said.iter().filter(move |(key, _)| {
            let of = xxh3_64(format!("{}/{}", key.namespace, key.name).as_bytes());
            of % ROUND == turn % ROUND
        });
        due.map(|(key, reason)| Reply {
            key: key.clone(),
            status: None,
            reason: Some(reason.clone()),
        })
    }

    /// What is to be told of an Ingress that is received so.
    pub(crate) fn owed(&mut self, key: ObjectKey, reception: Option<&Reception>) -> Option<Reply> {
        let status = match reception {
            None | Some(Reception::Foreign) => {
                self.said.remove(&key);
                return None;
            }
            Some(Reception::Routed(_)) => Wanted::Published,
            Some(Reception::Refused(_) | Reception::Outdone(_)) => Wanted::Withdrawn,
        };
        let reason = reception.and_then(Reception::reason);
        let reply = Reply {
            status: self.status_owed(&key, status),
            reason: self.reason_owed(&key, reason),
            key,
        };
        (reply.status.is_some() || reply.reason.is_some()).then_some(reply)
    }

    fn status_owed(&mut self, key: &ObjectKey, wanted: Wanted) -> Option<Wanted> {
        let is = self.statuses.get(key).copied().unwrap_or(StatusIs::Ours);
        let is_right = match wanted {
            Wanted::Published => matches!(is, StatusIs::Ours | StatusIs::NoMatter),
            Wanted::Withdrawn => matches!(is, StatusIs::Empty | StatusIs::NoMatter),
        };
        let is_owed = !is_right && self.asked.get(key) != Some(&wanted);
        if is_owed {
            self.asked.insert(key.clone(), wanted);
        }
        is_owed.then_some(wanted)
    }

    fn reason_owed(&mut self, key: &ObjectKey, reason: Option<Reason>) -> Option<Reason> {
        let Some(reason) = reason else {
            self.said.remove(key);
            return None;
        };
        if self.said.get(key) == Some(&reason) {
            return None;
        }
        self.said.insert(key.clone(), reason.clone());
        Some(reason)
    }
}

#[cfg(test)]
mod tests;
