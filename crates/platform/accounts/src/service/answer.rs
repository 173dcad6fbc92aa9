//! The answer of the loop to a question about itself. Reads its state, changes nothing.

use std::collections::BTreeSet;

use super::Service;
use crate::{
    account::Account,
    desired::{self, ADMIN_NAMESPACE, MARKER},
    metrics::account_type,
    plan::ObjectKey,
    report::Report,
    standing::{Known, Standing},
};

impl Service {
    /// How things stand.
    pub(super) fn answer(&self) -> Report {
        let (due, running, waiting) = self.queue.lengths();
        let mut report = Report {
            due,
            running,
            waiting,
            directory_is_connected: self.directory_read.is_some() && self.directory_failure.is_none(),
            directory_read: self.directory_read,
            ..Report::default()
        };
        let mut all: BTreeSet<Account> = self.snapshot.accounts();
        all.extend(Known::of(&self.context.cache).accounts());
        for account in all {
            let standing = self.standing(&account);
            let state = match standing {
                _ if self.failing.contains_key(&account) => "failing",
                Standing::Active => "active",
                Standing::Locked => "locked",
                Standing::Gone => "removed",
                Standing::Held => "held",
                Standing::Unknown => continue,
            };
            *report
                .accounts
                .entry((account_type(&account), state))
                .or_default() += 1;
            if standing == Standing::Active
                && let Some(end) = self.expiry(&account)
            {
                report.soonest_expiry = Some(report.soonest_expiry.map_or(end, |soonest| soonest.min(end)));
            }
        }
        report
    }

    fn expiry(&self, account: &Account) -> Option<i64> {
        let (namespace, datum) = match account {
            Account::Tool(name) => (name.namespace().to_string(), "expires"),
            Account::Admin(name) => (ADMIN_NAMESPACE.to_owned(), name.as_str()),
        };
        let marker = ObjectKey {
            kind: "ConfigMap".to_owned(),
            namespace,
            name: MARKER.to_owned(),
        };
        let end = self.context.cache.datum(&marker, datum)?;
        Some(desired::read_iso(&end)?.as_second())
    }
}
