//! A look at all accounts, from its beginning until the last of them has had its turn: what the original calls a run.

use std::{collections::BTreeSet, time::Instant};

use super::Service;
use crate::account::Account;

/// How often the log tells how far a look is, in accounts.
const TELL_EVERY: usize = 250;

/// A look that has not ended.
#[derive(Debug)]
pub(super) struct Look {
    began: Instant,
    accounts: usize,
    left: BTreeSet<Account>,
}

impl Service {
    /// Begins one, unless the last has not ended.
    pub(super) fn begin_look(&mut self, accounts: &BTreeSet<Account>) {
        // Before the directory has been read there is nothing to look at.
        if self.directory_read.is_none() || self.look.is_some() {
            return;
        }
        self.look = Some(Look {
            began: Instant::now(),
            accounts: accounts.len(),
            left: accounts.clone(),
        });
        self.end_look();
    }

    /// An account has had its turn.
    pub(super) fn looked_at(&mut self, account: &Account) {
        let Some(look) = &mut self.look else { return };
        if !look.left.remove(account) {
            return;
        }
        let done = look.accounts - look.left.len();
        if done.is_multiple_of(TELL_EVERY) {
            tracing::info!(accounts = look.accounts, done, "looking at all accounts");
        }
        self.end_look();
    }

    fn end_look(&mut self) {
        if let Some(look) = self.look.take_if(|look| look.left.is_empty()) {
            self.context.metrics.run_ended(look.began.elapsed());
        }
    }
}
