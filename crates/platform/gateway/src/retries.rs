//! How often requests of a tool may be sent again, so that a tool that breaks off everything is not asked everything twice.

use std::{collections::HashMap, time::Instant};

use parking_lot::Mutex;

use crate::limits::{RETRY_BURST, RETRY_PAUSE, RETRY_TOOLS};

/// What is left of each tool's right to have requests sent again, in one data plane; only tools that used it lately are
/// remembered.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    /// When the right of a tool will be whole again, by namespace.
    whole: Mutex<HashMap<Box<str>, Instant>>,
}

impl Retries {
    /// Whether a request of this namespace may be sent again now.
    pub(crate) fn take(&self, namespace: &str) -> bool {
        self.take_at(namespace, Instant::now())
    }

    fn take_at(&self, namespace: &str, now: Instant) -> bool {
        let mut whole = self.whole.lock();
        if let Some(at) = whole.get_mut(namespace) {
            let next = (*at).max(now) + RETRY_PAUSE;
            let may = next.duration_since(now) <= RETRY_PAUSE * RETRY_BURST;
            if may {
                *at = next;
            }
            return may;
        }
        if whole.len() >= RETRY_TOOLS {
            whole.retain(|_, at| *at > now);
        }
        let has_room = whole.len() < RETRY_TOOLS;
        if has_room {
            whole.insert(namespace.into(), now + RETRY_PAUSE);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::Retries;
    use crate::limits::{RETRY_BURST, RETRY_PAUSE, RETRY_TOOLS};

    #[test]
    fn each_tool_has_a_burst_and_then_a_steady_flow() {
        let (retries, now) = (Retries::default(), Instant::now());
        for _ in 0..RETRY_BURST {
            assert!(retries.take_at("tool-a", now));
        }
        assert!(!retries.take_at("tool-a", now));
        assert!(retries.take_at("tool-b", now));
        assert!(retries.take_at("tool-a", now + RETRY_PAUSE));
        assert!(!retries.take_at("tool-a", now + RETRY_PAUSE));
        let later = now + RETRY_PAUSE * (2 * RETRY_BURST);
        assert_eq!(
            (0..2 * RETRY_BURST)
                .filter(|_| retries.take_at("tool-a", later))
                .count(),
            RETRY_BURST as usize
        );
    }

    #[test]
    fn memory_is_bounded() {
        let (retries, now) = (Retries::default(), Instant::now());
        for number in 0..RETRY_TOOLS {
            assert!(retries.take_at(&format!("tool-{number}"), now));
        }
        assert!(!retries.take_at("one-more", now));
        assert!(retries.take_at("one-more", now + RETRY_PAUSE));
        assert_eq!(retries.whole.lock().len(), 1);
    }
}
