//! How often requests of a tool may be sent again, so that a tool that breaks off everything is not asked everything twice.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::limits::RETRY_TOOLS;

/// How often requests are sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetryRule {
    /// One of them, at most.
    pub(crate) per_request: u32,
    /// Those of one tool, at once.
    pub(crate) burst: u32,
    /// After which another one may be, for long.
    pub(crate) pause: Duration,
}

/// What is left of each tool's right to have requests sent again, in one data plane; only tools that used it lately are
/// remembered.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    /// When the right of a tool will be whole again, by namespace.
    whole: Mutex<HashMap<Box<str>, Instant>>,
}

impl Retries {
    /// Whether a request of this namespace may be sent again now.
    pub(crate) fn take(&self, namespace: &str, rule: &RetryRule) -> bool {
        self.take_at(namespace, rule, Instant::now())
    }

    fn take_at(&self, namespace: &str, rule: &RetryRule, now: Instant) -> bool {
        let mut whole = self.whole.lock();
        if let Some(at) = whole.get_mut(namespace) {
            let next = (*at).max(now) + rule.pause;
            let may = next.duration_since(now) <= rule.pause * rule.burst;
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
            whole.insert(namespace.into(), now + rule.pause);
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Retries, RetryRule};
    use crate::limits::RETRY_TOOLS;

    const BURST: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(50);
    const RULE: RetryRule = RetryRule {
        per_request: 3,
        burst: BURST,
        pause: PAUSE,
    };

    #[test]
    fn each_tool_has_a_burst_and_then_a_steady_flow() {
        let (retries, now) = (Retries::default(), Instant::now());
        for _ in 0..BURST {
            assert!(retries.take_at("tool-a", &RULE, now));
        }
        assert!(!retries.take_at("tool-a", &RULE, now));
        assert!(retries.take_at("tool-b", &RULE, now));
        assert!(retries.take_at("tool-a", &RULE, now + PAUSE));
        assert!(!retries.take_at("tool-a", &RULE, now + PAUSE));
        let later = now + PAUSE * (2 * BURST);
        assert_eq!(
            (0..2 * BURST)
                .filter(|_| retries.take_at("tool-a", &RULE, later))
                .count(),
            BURST as usize
        );
    }

    #[test]
    fn memory_is_bounded() {
        let (retries, now) = (Retries::default(), Instant::now());
        for number in 0..RETRY_TOOLS {
            assert!(retries.take_at(&format!("tool-{number}"), &RULE, now));
        }
        assert!(!retries.take_at("one-more", &RULE, now));
        assert!(retries.take_at("one-more", &RULE, now + PAUSE));
        assert_eq!(retries.whole.lock().len(), 1);
    }
}
