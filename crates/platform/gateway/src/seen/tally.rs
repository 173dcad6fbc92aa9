//! What passed through one thread, counted.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

/// The most namespaces that are told apart; requests to others count together. The original has some 3,000.
const NAMESPACES_LIMIT: usize = 20_000;

/// Upper bounds of how long tools take, in seconds.
pub(crate) const ANSWER_SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];

/// The figures of one thread. Its lock is taken by that thread, and by whoever adds the threads up.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Mutex<Counts>,
    /// Connections that are open.
    pub(crate) connections: Open,
    /// Connections among them that became something else.
    pub(crate) tunnels: Open,
}

/// How many of something are open.
#[derive(Debug, Default)]
pub(crate) struct Open(AtomicI64);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Opened<'a>(&'a Open);

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// By namespace; the empty one has requests that belong to no tool.
    pub(crate) namespaces: HashMap<Box<str>, Requests>,
    /// Those of namespaces beyond the limit.
    pub(crate) others: Requests,
    /// How many answers of tools came within each bound, and beyond the last.
    pub(crate) within: [u64; ANSWER_SECONDS.len() + 1],
    pub(crate) answer_time: Duration,
    /// By kind, in the order of [`Event::ALL`].
    pub(crate) events: [u64; Event::ALL.len()],
}

/// The requests of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// By the hundreds of their status: 1xx, 2xx and so on.
    pub(crate) by_class: [u64; 5],
    /// How long it took all in all until heads of answers came.
    pub(crate) time: Duration,
    /// The bytes of the bodies that visitors got.
    pub(crate) sent_bytes: u64,
}

/// Something besides answers that is worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A visitor was refused by the settings.
    Refused,
    /// An address asked too often.
    TooFast,
    /// A request was none.
    Malformed,
    /// A TLS handshake failed.
    Handshake,
    /// No endpoint of a tool took the connection.
    Unreachable,
    /// A tool broke off, or answered with something that is no answer.
    Broken,
    /// A tool took too long.
    Timeout,
    /// A request was sent a second time.
    Resent,
    /// A request was not sent a second time, since too many of its tool's were.
    RetriesSpent,
    /// An endpoint failed, and is passed over for a while.
    PassedOver,
    /// A tool had as many requests under way, or upgraded connections, as it may.
    Full,
    /// An answer broke off.
    CutShort,
}

impl Event {
    pub(crate) const ALL: [Self; 12] = [
        Self::Refused,
        Self::TooFast,
        Self::Malformed,
        Self::Handshake,
        Self::Unreachable,
        Self::Broken,
        Self::Timeout,
        Self::Resent,
        Self::RetriesSpent,
        Self::PassedOver,
        Self::Full,
        Self::CutShort,
    ];

    /// The value of the label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TooFast => "rate_limited",
            Self::Malformed => "malformed_request",
            Self::Handshake => "tls_handshake_failed",
            Self::Unreachable => "tool_unreachable",
            Self::Broken => "tool_broke_off",
            Self::Timeout => "tool_timed_out",
            Self::Resent => "sent_again",
            Self::RetriesSpent => "retries_spent",
            Self::PassedOver => "endpoint_passed_over",
            Self::Full => "tool_at_limit",
            Self::CutShort => "answer_cut_short",
        }
    }
}

impl Tally {
    /// Counts a request that was answered, and how long the head of the answer took.
    pub(crate) fn answered(&self, namespace: &str, status: u16, time: Duration, sent_bytes: u64) {
        let mut counts = self.counts.lock();
        if !namespace.is_empty() {
            let seconds = time.as_secs_f64();
            let bound = ANSWER_SECONDS.partition_point(|bound| *bound < seconds);
            counts.within[bound] += 1;
            counts.answer_time += time;
        }
        let requests = counts.of(namespace);
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        requests.by_class[class] += 1;
        requests.time += time;
        requests.sent_bytes += sent_bytes;
    }

    /// Counts something else.
    pub(crate) fn happened(&self, event: Event) {
        self.counts.lock().events[event as usize] += 1;
    }

    /// Adds what was counted to a sum.
    pub(crate) fn add_to(&self, sum: &mut Counts) {
        let counts = self.counts.lock();
        for (namespace, requests) in &counts.namespaces {
            sum.of(namespace).add(requests);
        }
        sum.others.add(&counts.others);
        for (sum, count) in sum.within.iter_mut().zip(counts.within) {
            *sum += count;
        }
        sum.answer_time += counts.answer_time;
        for (sum, count) in sum.events.iter_mut().zip(counts.events) {
            *sum += count;
        }
    }
}

impl Counts {
    fn of(&mut self, namespace: &str) -> &mut Requests {
        if self.namespaces.len() < NAMESPACES_LIMIT && !self.namespaces.contains_key(namespace) {
            self.namespaces.insert(namespace.into(), Requests::default());
        }
        self.namespaces.get_mut(namespace).unwrap_or(&mut self.others)
    }
}

impl Requests {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.by_class.iter().sum()
    }

    fn add(&mut self, other: &Self) {
        for (sum, count) in self.by_class.iter_mut().zip(other.by_class) {
            *sum += count;
        }
        self.time += other.time;
        self.sent_bytes += other.sent_bytes;
    }
}

impl Open {
    /// Counts one until what is returned is dropped.
    pub(crate) fn one(&self) -> Opened<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Opened(self)
    }

    pub(crate) fn count(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counts, Event, NAMESPACES_LIMIT, Requests, Tally};

    #[test]
    fn what_threads_counted_adds_up() {
        let tallies = [Tally::default(), Tally::default()];
        for tally in &tallies {
            tally.answered("tool-a", 200, Duration::from_millis(7), 10);
            tally.answered("tool-a", 404, Duration::from_secs(100), 5);
            tally.answered("", 301, Duration::ZERO, 0);
            tally.happened(Event::Resent);
        }
        let mut sum = Counts::default();
        for tally in &tallies {
            tally.add_to(&mut sum);
        }
        let expected = Requests {
            by_class: [0, 2, 0, 2, 0],
            time: Duration::from_millis(200_014),
            sent_bytes: 30,
        };
        assert_eq!(sum.namespaces["tool-a"], expected);
        assert_eq!(sum.namespaces[""].by_class, [0, 0, 2, 0, 0]);
        // Those that belong to no tool say nothing of how long tools take.
        assert_eq!(
            (
                sum.within[3],
                *sum.within.last().unwrap(),
                sum.within.iter().sum::<u64>()
            ),
            (2, 2, 4)
        );
        assert_eq!(sum.events.iter().sum::<u64>(), 2);
    }

    #[test]
    fn namespaces_beyond_the_limit_count_together() {
        let tally = Tally::default();
        for number in 0..NAMESPACES_LIMIT + 10 {
            tally.answered(&format!("tool-{number}"), 200, Duration::ZERO, 0);
        }
        let mut sum = Counts::default();
        tally.add_to(&mut sum);
        assert_eq!(sum.namespaces.len(), NAMESPACES_LIMIT);
        assert_eq!(sum.others.by_class[1], 10);
    }
}
