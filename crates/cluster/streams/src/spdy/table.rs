//! The streams that are open on a connection, as its reader and those who send see them together.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::window::Windows;
use crate::flow::Inlet;

/// How many streams may be open on one connection: two for each of some hundred forwarded connections.
const MOST_STREAMS: usize = 1000;

/// The open streams.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: Mutex<HashMap<u32, Entry>>,
    pub(super) windows: Windows,
}

#[derive(Debug)]
struct Entry {
    /// Where the client's bytes go, until it ends its side.
    inlet: Option<Arc<Inlet>>,
    /// Whether we have not ended ours.
    sending: bool,
    reset: CancellationToken,
}

/// Our side of a stream; ends with the last of this.
#[derive(Debug)]
pub(crate) struct Sending {
    table: Arc<Table>,
    stream: u32,
}

impl Table {
    /// Whether one more may be opened.
    pub(super) fn has_room(&self) -> bool {
        self.entries.lock().len() < MOST_STREAMS
    }

    /// Takes a stream in; with the signal that the client took it back.
    pub(super) fn open(self: &Arc<Self>, stream: u32, inlet: Option<Inlet>) -> (Sending, CancellationToken) {
        let reset = CancellationToken::new();
        let entry = Entry {
            inlet: inlet.map(Arc::new),
            sending: true,
            reset: reset.clone(),
        };
        self.entries.lock().insert(stream, entry);
        let sending = Sending {
            table: self.clone(),
            stream,
        };
        (sending, reset)
    }

    /// Where a stream's bytes go.
    pub(super) fn inlet(&self, stream: u32) -> Option<Arc<Inlet>> {
        self.entries.lock().get(&stream)?.inlet.clone()
    }

    /// The client has ended its side.
    pub(super) fn finish(&self, stream: u32) {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get_mut(&stream) {
            entry.inlet = None;
            if !entry.sending {
                entries.remove(&stream);
            }
        }
    }

    /// The client has taken a stream back.
    pub(super) fn reset(&self, stream: u32) {
        if let Some(entry) = self.entries.lock().remove(&stream) {
            entry.reset.cancel();
        }
        self.windows.forget(stream);
    }

    /// The connection is gone, and all that was on it.
    pub(super) fn close(&self) {
        self.windows.close();
        for (_, entry) in self.entries.lock().drain() {
            entry.reset.cancel();
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.table.windows.forget(self.stream);
        let mut entries = self.table.entries.lock();
        if let Some(entry) = entries.get_mut(&self.stream) {
            entry.sending = false;
            if entry.inlet.is_none() {
                entries.remove(&self.stream);
            }
        }
    }
}
