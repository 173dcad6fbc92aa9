//! The first turn of each account that the directory has at the start, and who wants to hear of it.

use std::collections::BTreeSet;

use tokio::sync::{oneshot, watch};

use crate::{
    account::Account,
    config::{Progress, Summary},
};

/// The first pass: not begun, on its way, or over.
#[derive(Debug, Default)]
pub(crate) struct FirstPass {
    on_end: Option<oneshot::Sender<Summary>>,
    progress: Option<watch::Sender<Progress>>,
    accounts: usize,
    /// Accounts that have had no turn; none before the directory has been read.
    left: Option<BTreeSet<Account>>,
}

impl FirstPass {
    /// One of which those hear who want to: when it is over, and how far it is.
    pub(crate) fn new(
        on_end: Option<oneshot::Sender<Summary>>,
        progress: Option<watch::Sender<Progress>>,
    ) -> Self {
        Self {
            on_end,
            progress,
            ..Self::default()
        }
    }

    /// Whether the directory has been read.
    pub(super) fn has_begun(&self) -> bool {
        self.left.is_some()
    }

    /// The directory has been read, and has these. With none at all it is over: who is to be told.
    pub(super) fn begin(&mut self, accounts: BTreeSet<Account>) -> Option<oneshot::Sender<Summary>> {
        self.accounts = accounts.len();
        self.left = Some(accounts);
        self.tell()
    }

    /// An account has had a turn. When it was the last to have its first: who is to be told.
    pub(super) fn passed(&mut self, account: &Account) -> Option<oneshot::Sender<Summary>> {
        if !self.left.as_mut()?.remove(account) {
            return None;
        }
        self.tell()
    }

    fn tell(&mut self) -> Option<oneshot::Sender<Summary>> {
        let left = self.left.as_ref().map_or(0, BTreeSet::len);
        if let Some(progress) = &self.progress {
            progress.send_replace(Progress {
                done: self.accounts - left,
                accounts: self.accounts,
            });
        }
        if left > 0 {
            return None;
        }
        // Nobody has to wait for more.
        self.progress = None;
        self.on_end.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(name: &str) -> Account {
        Account::Admin(name.to_owned())
    }

    #[test]
    fn it_is_told_how_far_it_is_and_once_when_it_is_over() {
        let ((sender, _receiver), (progress, news)) =
            (oneshot::channel(), watch::channel(Progress::default()));
        let mut pass = FirstPass::new(Some(sender), Some(progress));
        assert!(pass.passed(&admin("ada")).is_none());
        assert!(!pass.has_begun());
        assert!(pass.begin([admin("ada"), admin("bob")].into()).is_none());
        assert!(pass.has_begun());
        assert_eq!(*news.borrow(), Progress { done: 0, accounts: 2 });
        assert!(pass.passed(&admin("ada")).is_none());
        assert!(pass.passed(&admin("ada")).is_none(), "its second turn");
        assert!(pass.passed(&admin("new")).is_none(), "it came later");
        assert_eq!(*news.borrow(), Progress { done: 1, accounts: 2 });
        assert!(pass.passed(&admin("bob")).is_some());
        assert_eq!(*news.borrow(), Progress { done: 2, accounts: 2 });
        assert!(pass.passed(&admin("bob")).is_none());
    }

    #[test]
    fn with_no_account_it_is_over_at_once() {
        let (sender, _receiver) = oneshot::channel();
        let mut pass = FirstPass::new(Some(sender), None);
        assert!(pass.begin(BTreeSet::new()).is_some());
    }
}
