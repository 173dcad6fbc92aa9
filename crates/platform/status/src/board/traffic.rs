//! Requests and errors of the last day, from the figures of the gateways.

mod kept;
mod scrape;

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::Serialize;

pub(crate) use kept::TrafficFile;
pub(crate) use scrape::follow;

/// Length of a bar of the charts.
pub(crate) const BUCKET_SECONDS: i64 = 600;
/// How many bars there are: a day.
pub(crate) const BUCKETS: i64 = 144;

/// What went to a namespace in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bucket {
    /// Seconds since 1970.
    pub(crate) start: i64,
    pub(crate) requests: u64,
    /// Answers with 5xx: the tool's fault, or the platform's.
    pub(crate) errors: u64,
}

/// Traffic of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Whether any gateway has told figures.
    pub(crate) known: bool,
    gateways: HashMap<String, Gateway>,
    namespaces: BTreeMap<String, VecDeque<Bucket>>,
    /// All of them together.
    all: VecDeque<Bucket>,
}

/// What a gateway told when it was last asked.
#[derive(Debug)]
struct Gateway {
    /// When that was, in seconds since 1970.
    told: i64,
    /// By namespace and code.
    counters: HashMap<(String, String), u64>,
}

/// A counter's value as a gateway told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) namespace: String,
    pub(crate) code: String,
    pub(crate) value: u64,
}

impl Traffic {
    /// Takes in what a gateway told at a time, in seconds since 1970.
    pub(crate) fn take(&mut self, gateway: &str, samples: Vec<Sample>, now: i64) {
        let before = self.gateways.remove(gateway);
        // What it does not tell any more is forgotten: it was started anew.
        let mut counters = HashMap::with_capacity(samples.len());
        for Sample {
            namespace,
            code,
            value,
        } in samples
        {
            let series = (namespace, code);
            let more = match &before {
                // What a gateway counted before it was first asked belongs to times that nobody knows.
                None => 0,
                Some(before) => match before.counters.get(&series) {
                    Some(known) if value >= *known => value - known,
                    // It was started anew, or this counter is new.
                    _ => value,
                },
            };
            if more > 0 {
                let errors = if series.1.starts_with('5') { more } else { 0 };
                self.add(&series.0, now, more, errors);
            }
            counters.insert(series, value);
        }
        self.gateways
            .insert(gateway.to_owned(), Gateway { told: now, counters });
        self.known = true;
        self.forget(now);
    }

    /// Adds what went to a namespace at a time, which is not before that of the last time.
    fn add(&mut self, namespace: &str, now: i64, requests: u64, errors: u64) {
        let start = now - now.rem_euclid(BUCKET_SECONDS);
        if !self.namespaces.contains_key(namespace) {
            self.namespaces.insert(namespace.to_owned(), VecDeque::new());
        }
        let own = self.namespaces.get_mut(namespace);
        for buckets in own.into_iter().chain([&mut self.all]) {
            add_to(buckets, start, requests, errors);
        }
    }

    fn forget(&mut self, now: i64) {
        let oldest = now - BUCKETS * BUCKET_SECONDS;
        self.gateways.retain(|_, gateway| gateway.told >= oldest);
        let forget = |buckets: &mut VecDeque<Bucket>| {
            while buckets.front().is_some_and(|bucket| bucket.start < oldest) {
                buckets.pop_front();
            }
        };
        self.namespaces.retain(|_, buckets| {
            forget(buckets);
            !buckets.is_empty()
        });
        forget(&mut self.all);
    }

    /// The bars of a day up to now, oldest first, of one namespace or of all.
    pub(crate) fn day(&self, namespace: Option<&str>, now: i64) -> Vec<Bucket> {
        let last = now - now.rem_euclid(BUCKET_SECONDS);
        let first = last - (BUCKETS - 1) * BUCKET_SECONDS;
        let mut day: Vec<Bucket> = (0..BUCKETS)
            .map(|at| Bucket {
                start: first + at * BUCKET_SECONDS,
                ..Bucket::default()
            })
            .collect();
        let chosen = match namespace {
            Some(namespace) => self.namespaces.get(namespace),
            None => Some(&self.all),
        };
        for bucket in chosen.into_iter().flatten() {
            let at = usize::try_from((bucket.start - first).div_euclid(BUCKET_SECONDS)).ok();
            if let Some(bar) = at.and_then(|at| day.get_mut(at)) {
                *bar = *bucket;
            }
        }
        day
    }
}

/// Adds to the last bar, or to a new one after it.
fn add_to(buckets: &mut VecDeque<Bucket>, start: i64, requests: u64, errors: u64) {
    if buckets.back().is_none_or(|last| last.start < start) {
        buckets.push_back(Bucket {
            start,
            ..Bucket::default()
        });
    }
    if let Some(bucket) = buckets.back_mut() {
        bucket.requests = bucket.requests.saturating_add(requests);
        bucket.errors = bucket.errors.saturating_add(errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(code: &str, value: u64) -> Vec<Sample> {
        vec![Sample {
            namespace: "tool-t".to_owned(),
            code: code.to_owned(),
            value,
        }]
    }

    fn sums(traffic: &Traffic, now: i64) -> (u64, u64) {
        let day = traffic.day(Some("tool-t"), now);
        (
            day.iter().map(|bar| bar.requests).sum(),
            day.iter().map(|bar| bar.errors).sum(),
        )
    }

    #[test]
    fn only_what_is_new_counts() {
        let mut traffic = Traffic::default();
        traffic.take("a", sample("2xx", 1000), 6000);
        assert_eq!(sums(&traffic, 6000), (0, 0), "counted before anybody asked");
        traffic.take("a", [sample("2xx", 1010), sample("5xx", 3)].concat(), 6060);
        assert_eq!(sums(&traffic, 6060), (13, 3));
        traffic.take("a", sample("2xx", 4), 6120);
        assert_eq!(sums(&traffic, 6120), (17, 3), "the gateway was started anew");
        assert_eq!(traffic.day(None, 6120).last().unwrap().requests, 17);
    }

    #[test]
    fn counters_that_nobody_tells_are_forgotten() {
        let mut traffic = Traffic::default();
        traffic.take("a", [sample("2xx", 1), sample("5xx", 1)].concat(), 0);
        traffic.take("a", sample("2xx", 1), 60);
        assert_eq!(traffic.gateways["a"].counters.len(), 1);
        traffic.take("b", sample("2xx", 1), 120 + BUCKETS * BUCKET_SECONDS);
        assert!(!traffic.gateways.contains_key("a"), "silent for a day");
    }

    #[test]
    fn what_is_older_than_a_day_is_forgotten() {
        let mut traffic = Traffic::default();
        traffic.take("a", Vec::new(), 0);
        traffic.take("a", sample("2xx", 1), 600);
        traffic.take("a", sample("2xx", 2), 1200);
        let later = 600 + BUCKETS * BUCKET_SECONDS;
        assert_eq!(sums(&traffic, later).0, 1);
        traffic.take("a", sample("2xx", 2), later + 2 * BUCKET_SECONDS);
        assert!(traffic.namespaces.is_empty());
    }
}
