//! How much the peer lets us send: flow control windows of streams and of the session.
//!
//! Kubernetes' own client does not count: it never announces a window and ignores what it is told of ours, and TCP
//! alone holds it up. So windows hold for a peer that announces them (SETTINGS), from then on.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// The session's window before the peer enlarges it, in bytes, as the specification has it.
const SESSION_BYTES: usize = 64 << 10;
/// No window may get larger, in bytes.
const LARGEST_BYTES: usize = (1 << 31) - 1;

/// The windows of one connection.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What new streams may send at first, once the peer has said it.
    initial: Option<usize>,
    session: Option<Arc<Semaphore>>,
    streams: HashMap<u32, Arc<Semaphore>>,
    closed: bool,
}

/// What one stream may send; without limit where the peer does not count.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credit(Option<(Arc<Semaphore>, Arc<Semaphore>)>);

/// A window was enlarged beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Windows {
    /// The peer counts, and gives new streams this window in bytes.
    pub(crate) fn announce(&self, initial: u32) {
        let mut state = self.0.lock();
        state.initial = Some(
            usize::try_from(initial)
                .unwrap_or(LARGEST_BYTES)
                .min(LARGEST_BYTES),
        );
        state
            .session
            .get_or_insert_with(|| Arc::new(Semaphore::new(SESSION_BYTES)));
    }

    /// Whether the peer counts.
    pub(crate) fn are_announced(&self) -> bool {
        self.0.lock().initial.is_some()
    }

    /// The credit of a new stream.
    pub(crate) fn open(&self, stream: u32) -> Credit {
        let mut state = self.0.lock();
        let (Some(initial), Some(session)) = (state.initial, state.session.clone()) else {
            return Credit(None);
        };
        let own = Arc::new(Semaphore::new(initial));
        if state.closed {
            own.close();
        }
        state.streams.insert(stream, own.clone());
        Credit(Some((own, session)))
    }

    /// The peer enlarges a window; 0 is the session's. Streams that are not there are passed over.
    pub(crate) fn enlarge(&self, stream: u32, bytes: u32) -> Result<(), TooLarge> {
        let state = self.0.lock();
        let window = if stream == 0 {
            state.session.as_ref()
        } else {
            state.streams.get(&stream)
        };
        let Some(window) = window else { return Ok(()) };
        let bytes = usize::try_from(bytes).map_err(|_| TooLarge)?;
        if window.available_permits().saturating_add(bytes) > LARGEST_BYTES {
            return Err(TooLarge);
        }
        window.add_permits(bytes);
        Ok(())
    }

    /// The stream sends nothing any more.
    pub(crate) fn forget(&self, stream: u32) {
        if let Some(window) = self.0.lock().streams.remove(&stream) {
            window.close();
        }
    }

    /// The connection is gone: nobody waits any longer.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.session.iter().for_each(|window| window.close());
        state.streams.values().for_each(|window| window.close());
    }
}

impl Credit {
    /// Waits until some of `wanted` bytes (at least one) may be sent and takes that; none when the stream is gone.
    pub(crate) async fn take(&self, wanted: usize) -> Option<usize> {
        let Some((stream, session)) = &self.0 else {
            return Some(wanted);
        };
        let of_stream = take_some(stream, wanted).await?;
        let both = take_some(session, of_stream).await?;
        stream.add_permits(of_stream - both);
        Some(both)
    }
}

async fn take_some(window: &Semaphore, wanted: usize) -> Option<usize> {
    window.acquire().await.ok()?.forget();
    let more = window.available_permits().min(wanted.saturating_sub(1));
    let more = u32::try_from(more).unwrap_or(u32::MAX);
    // Another stream may have taken of the session's meanwhile; then one byte it is.
    let taken = window.try_acquire_many(more).map_or(0, |permits| {
        permits.forget();
        usize::try_from(more).unwrap_or_default()
    });
    Some(1 + taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_does_not_count_is_not_counted_for() {
        let windows = Windows::default();
        assert_eq!(windows.open(1).take(1 << 20).await, Some(1 << 20));
        assert!(windows.enlarge(1, 5).is_ok());
    }

    #[tokio::test]
    async fn both_windows_bound_what_is_sent() {
        let windows = Windows::default();
        windows.announce(100_000);
        let (one, other) = (windows.open(1), windows.open(3));
        assert_eq!(one.take(60_000).await, Some(60_000));
        assert_eq!(
            other.take(60_000).await,
            Some(5_536),
            "the session's is all of 65536"
        );
        windows.enlarge(0, 1 << 20).expect("allowed");
        assert_eq!(one.take(60_000).await, Some(40_000), "its own has 40000 left");
        windows.enlarge(1, 7).expect("allowed");
        assert_eq!(one.take(60_000).await, Some(7));
    }

    #[tokio::test]
    async fn a_window_cannot_grow_without_end() {
        let windows = Windows::default();
        windows.announce(0x7fff_ffff);
        windows.open(1);
        assert_eq!(windows.enlarge(1, 1), Err(TooLarge));
    }

    #[tokio::test]
    async fn waiting_ends_with_the_stream_and_with_the_connection() {
        let windows = Windows::default();
        windows.announce(0);
        let (one, other) = (windows.open(1), windows.open(3));
        windows.forget(1);
        assert_eq!(one.take(1).await, None);
        windows.close();
        assert_eq!(other.take(1).await, None);
    }
}
