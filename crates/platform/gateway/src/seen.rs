//! What can be seen of the gateway: figures, an access log, and whether it is ready.
//!
//! Requests are counted where they are answered, in a [`tally::Tally`] for each thread; whoever asks for the figures adds
//! the tallies up. Nothing here decides what a visitor gets.

pub(crate) mod access_log;
pub(crate) mod explained;
mod families;
pub(crate) mod health;
mod metrics;
mod overview;
mod pages;
pub(crate) mod record;
pub(crate) mod tally;
pub(crate) mod whereabouts;

pub use explained::{Explained, Now, PassedOver, Share};
pub use families::FAMILIES;
pub(crate) use pages::{Seen, serve};
pub use whereabouts::status_address;
