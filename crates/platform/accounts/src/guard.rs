//! Which removals may happen: a directory that forgets accounts is not believed beyond a limit.
//!
//! Pure. The service says which accounts the cluster has and the directory has not; [`judge`] says which of them go and
//! which wait for `toolforge accounts approve`. What it decides is kept in the cluster (`removals.rs`), so that a restart
//! neither forgets an approval nor begins to count anew.
//!
//! **Invariant:** an account goes only within the limit, or because exactly the set that it is in was approved. What has
//! once begun to wait never goes by itself, also when the set shrinks: a directory that comes back bit by bit would be
//! believed too early.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::Account;

#[cfg(test)]
mod tests;

/// How many characters of a digest name a set: enough that nobody approves one for another by mistake.
const DIGEST_LENGTH: usize = 12;

/// How much may go without an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// So many accounts within the window, at most.
    pub(crate) most: usize,
    /// And no more than this share of all, in percent; one may always go.
    pub(crate) most_percent: u8,
    /// How long a removal counts.
    pub(crate) window: Duration,
}

impl Limits {
    fn allowed(&self, known: usize) -> usize {
        let share = known.saturating_mul(usize::from(self.most_percent)) / 100;
        self.most.min(share.max(1))
    }
}

/// Removals that wait for an approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since when they are what they are.
    pub since: Timestamp,
    /// Of these accounts.
    pub accounts: BTreeSet<Account>,
}

impl Waiting {
    /// What names exactly this set at exactly this time: an approval of it fits no other.
    pub fn digest(&self) -> String {
        let mut text = self.since.to_string();
        for account in &self.accounts {
            let _ = write!(text, "\n{account}");
        }
        let mut digest = String::new();
        for byte in toolforge_pki::sha256(text.as_bytes())
            .iter()
            .take(DIGEST_LENGTH / 2)
        {
            let _ = write!(digest, "{byte:02x}");
        }
        digest
    }
}

/// What has been decided about removals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// What waits.
    pub(crate) waiting: Option<Waiting>,
    /// What may go: within the limit, or approved.
    pub(crate) going: BTreeSet<Account>,
    /// What went within the limit, and when.
    pub(crate) recent: BTreeMap<Account, Timestamp>,
}

/// What is to be judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// How many accounts the cluster has.
    pub(crate) known: usize,
    /// Which of them the directory does not have, and are not removed yet.
    pub(crate) missing: BTreeSet<Account>,
    /// Whether the directory has no tool at all, or no admin at all, where the cluster has some.
    pub(crate) emptied: bool,
    /// What an operator has approved.
    pub(crate) approved: Option<String>,
}

/// Decides.
pub(crate) fn judge(old: &Ledger, facts: &Facts, limits: &Limits, now: Timestamp) -> Ledger {
    let mut new = Ledger {
        waiting: None,
        going: old.going.intersection(&facts.missing).cloned().collect(),
        recent: recent(&old.recent, limits.window, now),
    };
    let open: BTreeSet<Account> = facts.missing.difference(&new.going).cloned().collect();
    if open.is_empty() {
        return new;
    }
    match &old.waiting {
        Some(waiting) if waiting.accounts == open => {
            if facts.approved.as_deref() == Some(waiting.digest().as_str()) {
                new.going.extend(open);
            } else {
                new.waiting = Some(waiting.clone());
            }
        }
        None if !facts.emptied && new.recent.len() + open.len() <= limits.allowed(facts.known) => {
            new.recent
                .extend(open.iter().map(|account| (account.clone(), now)));
            new.going.extend(open);
        }
        _ => {
            new.waiting = Some(Waiting {
                since: now,
                accounts: open,
            });
        }
    }
    new
}

fn recent(
    old: &BTreeMap<Account, Timestamp>,
    window: Duration,
    now: Timestamp,
) -> BTreeMap<Account, Timestamp> {
    let is_over = |at: &Timestamp| Duration::try_from(now.duration_since(*at)).is_ok_and(|age| age >= window);
    old.iter()
        .filter(|(_, at)| !is_over(at))
        .map(|(account, at)| (account.clone(), *at))
        .collect()
}
