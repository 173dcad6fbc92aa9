//! What a Lease says, and what is written into it. Pure: time goes in.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::api::ObjectMeta;
use tokio::time::Instant;

use super::Election;

#[cfg(test)]
mod tests;

/// The Lease as this replica last saw it, and when it saw that.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    lease: Option<Lease>,
    at: Instant,
}

impl Observed {
    pub(super) fn new(lease: Option<Lease>, at: Instant) -> Self {
        Self { lease, at }
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    pub(super) fn holder(&self) -> Option<&str> {
        self.lease.as_ref().and_then(holder)
    }

    /// Takes what was seen; the time starts anew only when something is different.
    pub(super) fn see(&mut self, lease: Option<Lease>, now: Instant) {
        if self.lease != lease {
            *self = Self { lease, at: now };
        }
    }

    /// From when on the Lease may be taken.
    pub(super) fn free_at(&self, own_duration: Duration) -> Instant {
        if self.holder().is_none() {
            return self.at;
        }
        // Whoever holds it goes by what it wrote.
        let spec = self.lease.as_ref().and_then(|lease| lease.spec.as_ref());
        let told = spec.and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok());
        self.at + told.map_or(own_duration, Duration::from_secs)
    }
}

/// Who holds the Lease.
pub(super) fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}

/// The Lease as it is written next, over what was seen: held by `by`, or by nobody.
pub(super) fn next(election: &Election, seen: Option<&Lease>, by: Option<&str>, now: Timestamp) -> Lease {
    let before = seen.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let is_same = before.holder_identity.as_deref() == by;
    let transitions = before.lease_transitions.unwrap_or_default();
    // A Lease of zero seconds is not valid; nobody waits for one that has no holder.
    let seconds = by.map_or(1, |_| election.lease_duration.as_secs());
    let metadata = ObjectMeta {
        name: Some(election.name.clone()),
        namespace: Some(election.namespace.clone()),
        ..ObjectMeta::default()
    };
    Lease {
        metadata: seen.map_or(metadata, |lease| lease.metadata.clone()),
        spec: Some(LeaseSpec {
            holder_identity: by.map(str::to_owned),
            lease_duration_seconds: Some(i32::try_from(seconds.max(1)).unwrap_or(i32::MAX)),
            acquire_time: if is_same {
                before.acquire_time
            } else {
                Some(MicroTime(now))
            },
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if seen.is_none() || is_same || by.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..before
        }),
    }
}
