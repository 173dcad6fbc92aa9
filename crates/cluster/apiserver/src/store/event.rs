//! What one write did: the unit of watches and of the log on disk.

use std::sync::Arc;

use bytes::Bytes;

use super::object::Stored;

/// What was there before an event.
#[derive(Clone, Debug)]
pub(crate) enum Previous {
    /// Nothing: the event created the object.
    Nothing,
    /// This revision of the object.
    Known(Arc<Stored>),
    /// Something that is no longer known: the event was read from the log after a restart.
    Unknown,
}

/// Whether the object is there after the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Created or changed.
    Put,
    /// Gone; the event's object is its last state with the revision of the deletion.
    Removed,
}

/// One write.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) effect: Effect,
    pub(crate) object: Arc<Stored>,
    pub(crate) previous: Previous,
}

impl Event {
    /// The event of a write.
    pub(crate) fn new(effect: Effect, object: Arc<Stored>, previous: Previous) -> Self {
        Self {
            effect,
            object,
            previous,
        }
    }

    /// The revision of the write.
    pub(crate) fn revision(&self) -> u64 {
        self.object.revision
    }

    /// The word for this event where no selector hides anything.
    pub(crate) fn word(&self) -> &'static str {
        word(self.effect, !matches!(self.previous, Previous::Nothing))
    }

    /// The line of a watch stream for [`Event::word`]: encoded once for all watchers, while the event is fresh.
    pub(crate) fn line(&self) -> Bytes {
        let word = self.word();
        let ready = self.object.line(word);
        ready.unwrap_or_else(|| watch_line(word, &self.object.json()))
    }
}

/// The word for an effect on an object that was `there` before or not, where no selector hides anything.
pub(super) fn word(effect: Effect, there: bool) -> &'static str {
    match (effect, there) {
        (Effect::Removed, _) => "DELETED",
        (Effect::Put, false) => "ADDED",
        (Effect::Put, true) => "MODIFIED",
    }
}

/// `{"type":WORD,"object":OBJECT}` and a newline.
pub(crate) fn watch_line(word: &str, object: &[u8]) -> Bytes {
    let mut line = Vec::with_capacity(object.len() + word.len() + 24);
    begin_line(&mut line, word);
    line.extend_from_slice(object);
    line.extend_from_slice(LINE_END);
    Bytes::from(line)
}

/// Writes what stands before the object.
pub(super) fn begin_line(line: &mut Vec<u8>, word: &str) {
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(word.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
}

/// What stands behind the object.
pub(super) const LINE_END: &[u8] = b"}\n";
