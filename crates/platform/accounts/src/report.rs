//! What the loop says of itself when it is asked: for `/metrics`, `/readyz`, and as a proof that it turns at `/healthz`.

use std::{collections::BTreeMap, time::SystemTime};

use tokio::sync::oneshot;

/// A question to the loop.
pub(crate) type Ask = oneshot::Sender<Report>;

/// The answer.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many accounts of a type are in a state.
    pub(crate) accounts: BTreeMap<(&'static str, &'static str), usize>,
    /// Accounts that have something to be done.
    pub(crate) due: usize,
    /// Accounts that have their turn.
    pub(crate) running: usize,
    /// Accounts that come back at some time.
    pub(crate) waiting: usize,
    /// Whether the last attempt at the directory went well.
    pub(crate) directory_is_connected: bool,
    /// When the directory was last read; none when it never was.
    pub(crate) directory_read: Option<SystemTime>,
    /// When the first credentials of an active account end, in seconds since 1970.
    pub(crate) soonest_expiry: Option<i64>,
}
