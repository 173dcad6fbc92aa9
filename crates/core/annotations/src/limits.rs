//! `limit-rps` and `limit-rpm`: how often one address may ask. Counting is the gateway's.

use crate::Networks;

/// The most that a limit can be, in requests of its span.
pub(crate) const MOST: u64 = 1_000_000;
/// The burst, in requests of the rate, unless `limit-burst-multiplier` says otherwise.
pub(crate) const BURST_MULTIPLIER: u64 = 5;

/// The limits of one Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Each of them, the one for minutes first.
    pub limits: Vec<Rate>,
    /// Addresses that they are not for.
    pub exempt: Networks,
}

/// A bucket of requests for each address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How long one request takes to be given back, in nanoseconds.
    pub cost_nanoseconds: u64,
    /// How many there are in a full bucket.
    pub burst: u64,
}

impl Rate {
    /// So many in a span, and several times as many at once.
    pub(crate) fn new(count: u64, span_seconds: u64, multiplier: u64) -> Self {
        Self {
            cost_nanoseconds: span_seconds * 1_000_000_000 / count.max(1),
            burst: count.saturating_mul(multiplier).max(1),
        }
    }
}
