//! What a container writes, for somebody who is attached to it. The container's thread waits for a client that lags,
//! but not for ever: one that takes nothing is cut off.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use crate::session::Output;

/// How much waits for a client, in bytes.
const WAITING_BYTES: usize = 1 << 20;
/// How long a container waits for a client that takes nothing: longer than a network hiccup, shorter than a person
/// wonders why the program stands still.
const PATIENCE: Duration = Duration::from_secs(10);

/// One client's queue. The container's side of it pushes, the client's side is an [`Output`].
#[derive(Debug, Default)]
pub(super) struct Tap {
    queue: Mutex<Queue>,
    room: Condvar,
    news: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// Nothing more comes, or nobody wants it.
    closed: bool,
}

impl Tap {
    /// Adds what the container wrote; false when the client is gone and the tap is to be forgotten. Blocks.
    pub(super) fn push(&self, bytes: &[u8]) -> bool {
        let mut queue = self.queue.lock();
        while !queue.closed && queue.bytes >= WAITING_BYTES {
            if self.room.wait_for(&mut queue, PATIENCE).timed_out() && queue.bytes >= WAITING_BYTES {
                tracing::warn!("an attached client takes no output and is cut off");
                queue.closed = true;
                self.news.notify_one();
            }
        }
        if queue.closed {
            return false;
        }
        queue.bytes += bytes.len();
        queue.pieces.push_back(Bytes::copy_from_slice(bytes));
        self.news.notify_one();
        true
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.queue.lock().closed = true;
        self.news.notify_one();
    }

    /// The client's side; dropped, the client is gone.
    pub(super) fn output(tap: Arc<Self>) -> Output {
        Box::pin(futures::stream::unfold(Client(tap), |client| async move {
            let piece = client.0.next().await?;
            Some((piece, client))
        }))
    }

    async fn next(&self) -> Option<Bytes> {
        loop {
            {
                let mut queue = self.queue.lock();
                if let Some(piece) = queue.pieces.pop_front() {
                    queue.bytes -= piece.len();
                    self.room.notify_one();
                    return Some(piece);
                }
                if queue.closed {
                    return None;
                }
            }
            self.news.notified().await;
        }
    }
}

struct Client(Arc<Tap>);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.queue.lock().closed = true;
        self.0.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn everything_arrives_however_slow_the_client_is() {
        let tap = Arc::new(Tap::default());
        let mut output = Tap::output(tap.clone());
        let writer = std::thread::spawn(move || {
            let piece = vec![b'x'; 100_000];
            let all = (0..50).all(|_| tap.push(&piece));
            tap.close();
            all
        });
        let mut total = 0;
        while let Some(piece) = output.next().await {
            total += piece.len();
            tokio::task::yield_now().await;
        }
        assert_eq!(total, 5_000_000);
        assert!(writer.join().expect("thread"));
    }

    #[test]
    fn a_client_that_is_gone_holds_nobody_up() {
        let tap = Arc::new(Tap::default());
        let output = Tap::output(tap.clone());
        assert!(tap.push(&vec![0; WAITING_BYTES]));
        drop(output);
        assert!(!tap.push(b"more"));
    }
}
