//! Keeps the ledger of removals: judges, writes down, and only then lets go.
//!
//! Driven by the service's loop. What has been decided counts from the moment at which the cluster has it: a service
//! that is killed in between decides anew, from the same facts.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::task::JoinHandle;

use toolforge_model::Chain;

use crate::{
    account::Account,
    execute::ExecuteError,
    guard::{Facts, Ledger, Limits, judge},
    reconcile::Context,
    removals,
};

/// Between two attempts to write.
const RETRY: Duration = Duration::from_secs(1);

/// How many names of what waits are logged.
const NAMES_IN_LOG: usize = 5;

/// The ledger, as it was decided and as it is written down.
pub(crate) struct Keeper {
    context: Arc<Context>,
    limits: Limits,
    /// None before it has been read.
    decided: Option<Ledger>,
    written: Ledger,
    /// Whether the cluster has lost what was written.
    is_lost: bool,
    writing: Option<JoinHandle<(Ledger, Result<(), ExecuteError>)>>,
}

impl Keeper {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self {
            limits: context.lifecycle.limits(),
            context,
            decided: None,
            written: Ledger::default(),
            is_lost: false,
            writing: None,
        }
    }

    /// What may be removed.
    pub(crate) fn going(&self) -> &BTreeSet<Account> {
        &self.written.going
    }

    /// Whether anything has been decided that has not been done.
    pub(crate) fn is_open(&self) -> bool {
        self.decided
            .as_ref()
            .is_some_and(|ledger| ledger.waiting.is_some() || !ledger.going.is_empty())
    }

    /// Judges what is missing now.
    pub(crate) fn judge(&mut self, facts: impl FnOnce(Option<String>) -> Facts) {
        let found = self.context.cache.find(&removals::key());
        let (stored, approved) = found.as_ref().map_or_else(Default::default, removals::read);
        let old = self.decided.take().unwrap_or_else(|| {
            self.written = stored.clone();
            stored
        });
        self.is_lost = found.is_none() && self.written != Ledger::default();
        let facts = facts(approved);
        let new = judge(&old, &facts, &self.limits, Timestamp::now());
        tell(&old, &new);
        self.decided = Some(new);
    }

    /// Writes down what has been decided; comes back each time that this is done, with what has been let go.
    pub(crate) async fn written(&mut self) -> Vec<Account> {
        loop {
            if let Some(writing) = &mut self.writing {
                let outcome = writing.await;
                self.writing = None;
                match outcome {
                    Ok((ledger, Ok(()))) => {
                        let fresh = ledger.going.difference(&self.written.going).cloned().collect();
                        self.written = ledger;
                        return fresh;
                    }
                    Ok((_, Err(error))) => {
                        tracing::warn!(error = %Chain(&error), "decisions about removals cannot be written down, so nothing is removed");
                    }
                    Err(error) => {
                        tracing::error!(%error, "writing down decisions about removals ended badly");
                    }
                }
                continue;
            }
            match &self.decided {
                Some(ledger) if self.is_lost || *ledger != self.written => {
                    self.is_lost = false;
                    self.writing = Some(tokio::spawn(write(self.context.clone(), ledger.clone())));
                }
                _ => std::future::pending().await,
            }
        }
    }
}

async fn write(context: Arc<Context>, ledger: Ledger) -> (Ledger, Result<(), ExecuteError>) {
    let outcome = removals::write(&context.client, &ledger).await;
    if outcome.is_err() {
        tokio::time::sleep(RETRY).await;
    }
    (ledger, outcome)
}

fn tell(old: &Ledger, new: &Ledger) {
    if let Some(waiting) = new.waiting.as_ref().filter(|_| new.waiting != old.waiting) {
        let names: Vec<String> = waiting
            .accounts
            .iter()
            .take(NAMES_IN_LOG)
            .map(Account::to_string)
            .collect();
        tracing::error!(
            accounts = waiting.accounts.len(),
            first = names.join(", "),
            digest = waiting.digest(),
            "accounts are gone from the directory, more than are believed without an approval: nothing happens to them; \
             look at `toolforge accounts pending`, and approve or correct the directory"
        );
    }
    if old.waiting.is_some() && new.waiting.is_none() {
        tracing::info!(going = new.going.len(), "no removals wait any more");
    }
    for account in new.going.difference(&old.going) {
        tracing::warn!(%account, "is gone from the directory: its access is taken");
    }
}
