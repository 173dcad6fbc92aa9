//! How endpoints have behaved: those that fail are passed over for a while, as long as there are others.
//!
//! Only endpoints that failed lately are remembered, so that nothing is asked, locked or allocated while all is well. What
//! is remembered belongs to one data plane, goes by address, and so outlives changes of the table.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::limits::{ENDPOINT_MEMORY, PROBE_PATIENCE, STANDINGS};

/// When an endpoint is passed over, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PassRule {
    /// How often in a row it breaks off before.
    pub(crate) failures: u32,
    /// How long at first, after each time twice as long as before.
    pub(crate) shortest: Duration,
    /// How long at most.
    pub(crate) longest: Duration,
    /// How many of a hundred endpoints that break off.
    pub(crate) most_percent: u32,
}

/// What an endpoint did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It takes no connection: nothing can be asked of it, and once is enough.
    Unreachable,
    /// It broke off, said nothing for too long, or what is no answer. That may be the request's doing.
    Failing,
}

/// The endpoints that failed lately.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    known: Mutex<HashMap<SocketAddr, Standing>>,
    /// How many are known, to be looked at without the lock.
    count: AtomicUsize,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    last: Fault,
    /// When it failed last.
    at: Instant,
    /// How often in a row it has been passed over.
    passes: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It failed so often in a row, and is asked as if it had not.
    Counting(u32),
    /// It is passed over until then; later a request tries it.
    Out(Instant),
    /// A request tries it, and others pass it over until then.
    Tried(Instant),
}

/// How an endpoint is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PassedOver {
    /// What it did last.
    pub(crate) fault: Fault,
    /// For how long yet.
    pub(crate) left: Duration,
}

/// In which order the endpoints of a backend are asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// In their own, beginning with this one.
    Turn(usize),
    /// In this one.
    Sorted(Vec<usize>),
}

impl Order {
    /// The place among `count` endpoints of the one that is asked after `step` others.
    pub(crate) fn place(&self, step: usize, count: usize) -> usize {
        match self {
            Self::Turn(turn) => turn.wrapping_add(step) % count.max(1),
            Self::Sorted(places) => places.get(step).copied().unwrap_or_default(),
        }
    }
}

impl Standings {
    /// The order in which to ask these endpoints, of which the `turn`th is next: those that are passed over come last,
    /// for when no other takes the request. Of failing ones that are not all, so that the others are not overrun.
    pub(crate) fn order(&self, endpoints: &[SocketAddr], turn: usize, rule: &PassRule) -> Order {
        if self.count.load(Ordering::Relaxed) == 0 || endpoints.len() < 2 {
            return Order::Turn(turn);
        }
        self.order_at(endpoints, turn, rule, Instant::now())
    }

    fn order_at(&self, endpoints: &[SocketAddr], turn: usize, rule: &PassRule, now: Instant) -> Order {
        let mut known = self.known.lock();
        if !endpoints.iter().any(|endpoint| known.contains_key(endpoint)) {
            return Order::Turn(turn);
        }
        let (mut first, mut last) = (Vec::with_capacity(endpoints.len()), Vec::new());
        let mut may_fail = rule.most_of(endpoints.len());
        for step in 0..endpoints.len() {
            let place = Order::Turn(turn).place(step, endpoints.len());
            let standing = known.get_mut(&endpoints[place]);
            let is_passed_over = standing.is_some_and(|standing| {
                if !standing.is_out(now) {
                    if first.is_empty() {
                        standing.try_it(now);
                    }
                    return false;
                }
                if standing.last == Fault::Unreachable {
                    return true;
                }
                let may_be = may_fail > 0;
                may_fail = may_fail.saturating_sub(1);
                may_be
            });
            if is_passed_over {
                last.push(place);
            } else {
                first.push(place);
            }
        }
        first.append(&mut last);
        Order::Sorted(first)
    }

    /// The endpoint answered.
    pub(crate) fn answered(&self, endpoint: SocketAddr) {
        if self.count.load(Ordering::Relaxed) > 0 {
            let mut known = self.known.lock();
            known.remove(&endpoint);
            self.count.store(known.len(), Ordering::Relaxed);
        }
    }

    /// The endpoint failed. True when it is passed over from now on.
    pub(crate) fn failed(&self, endpoint: SocketAddr, fault: Fault, rule: &PassRule) -> bool {
        self.failed_at(endpoint, fault, rule, Instant::now())
    }

    fn failed_at(&self, endpoint: SocketAddr, fault: Fault, rule: &PassRule, now: Instant) -> bool {
        let mut known = self.known.lock();
        if known.len() >= STANDINGS && !known.contains_key(&endpoint) {
            return false;
        }
        let standing = known.entry(endpoint).or_insert(Standing {
            last: fault,
            at: now,
            passes: 0,
            state: State::Counting(0),
        });
        let is_out = standing.fail(fault, rule, now);
        self.count.store(known.len(), Ordering::Relaxed);
        is_out
    }

    /// How this endpoint is passed over now, if it is.
    pub(crate) fn passed_over(&self, endpoint: SocketAddr) -> Option<PassedOver> {
        self.passed_over_at(endpoint, Instant::now())
    }

    fn passed_over_at(&self, endpoint: SocketAddr, now: Instant) -> Option<PassedOver> {
        let standing = *self.known.lock().get(&endpoint)?;
        let (State::Out(until) | State::Tried(until)) = standing.state else {
            return None;
        };
        let left = until.saturating_duration_since(now);
        (!left.is_zero()).then_some(PassedOver {
            fault: standing.last,
            left,
        })
    }

    /// Forgets those that have not failed for long.
    pub(crate) fn forget(&self) {
        let (mut known, now) = (self.known.lock(), Instant::now());
        known.retain(|_, standing| standing.at.elapsed() < ENDPOINT_MEMORY || standing.is_out(now));
        self.count.store(known.len(), Ordering::Relaxed);
    }
}

impl PassRule {
    /// How many of so many endpoints may be passed over that break off.
    fn most_of(&self, count: usize) -> usize {
        let percent = usize::try_from(self.most_percent).unwrap_or(100);
        count.saturating_mul(percent) / 100
    }
}

impl Standing {
    fn is_out(&self, now: Instant) -> bool {
        matches!(self.state, State::Out(until) | State::Tried(until) if now < until)
    }

    /// Has others pass over what was passed over until now, until it is known what becomes of this request.
    fn try_it(&mut self, now: Instant) {
        if !matches!(self.state, State::Counting(_)) {
            self.state = State::Tried(now + PROBE_PATIENCE);
        }
    }

    /// True when it is passed over from now on.
    fn fail(&mut self, fault: Fault, rule: &PassRule, now: Instant) -> bool {
        (self.last, self.at) = (fault, now);
        match self.state {
            State::Counting(failures) if fault == Fault::Failing && failures + 1 < rule.failures => {
                self.state = State::Counting(failures + 1);
                return false;
            }
            // What was on its way then, or was asked of it in need, makes it no worse.
            State::Out(until) if now < until => return false,
            State::Counting(_) | State::Out(_) | State::Tried(_) => {}
        }
        let longer = 1_u32.checked_shl(self.passes).unwrap_or(u32::MAX);
        let pass = rule.shortest.saturating_mul(longer).min(rule.longest);
        self.passes = self.passes.saturating_add(1);
        self.state = State::Out(now + pass);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        time::{Duration, Instant},
    };

    use super::{Fault, Order, PassRule, PassedOver, Standings};
    use crate::limits::STANDINGS;

    const RULE: PassRule = PassRule {
        failures: 5,
        shortest: Duration::from_secs(1),
        longest: Duration::from_secs(30),
        most_percent: 50,
    };

    fn endpoints(count: u16) -> Vec<SocketAddr> {
        (1..=count).map(|port| ([127, 0, 0, 1], port).into()).collect()
    }

    fn places(standings: &Standings, endpoints: &[SocketAddr], turn: usize, now: Instant) -> Vec<usize> {
        let order = standings.order_at(endpoints, turn, &RULE, now);
        (0..endpoints.len())
            .map(|step| order.place(step, endpoints.len()))
            .collect()
    }

    #[test]
    fn what_takes_no_connection_comes_last_for_a_while_that_grows() {
        let (standings, endpoints, mut now) = (Standings::default(), endpoints(3), Instant::now());
        assert_eq!(standings.order(&endpoints, 2, &RULE), Order::Turn(2));
        assert_eq!(places(&standings, &endpoints, 2, now), [2, 0, 1]);
        assert_eq!(standings.passed_over_at(endpoints[0], now), None);
        let mut pass = RULE.shortest;
        for round in 0..12 {
            assert!(
                standings.failed_at(endpoints[0], Fault::Unreachable, &RULE, now),
                "{round}"
            );
            assert!(
                !standings.failed_at(endpoints[0], Fault::Unreachable, &RULE, now),
                "it is known"
            );
            let passed_over = standings.passed_over_at(endpoints[0], now);
            let expected = PassedOver {
                fault: Fault::Unreachable,
                left: pass,
            };
            assert_eq!(passed_over, Some(expected), "{round}");
            let shortly_before = now + pass.checked_sub(Duration::from_millis(1)).unwrap();
            for turn in 0..3 {
                assert_eq!(
                    places(&standings, &endpoints, turn, shortly_before)[2],
                    0,
                    "{round}"
                );
            }
            now += pass;
            assert_eq!(standings.passed_over_at(endpoints[0], now), None, "{round}");
            // Only one request tries it.
            assert_eq!(places(&standings, &endpoints, 0, now), [0, 1, 2]);
            assert_eq!(places(&standings, &endpoints, 0, now), [1, 2, 0]);
            pass = (pass * 2).min(RULE.longest);
        }
        standings.answered(endpoints[0]);
        assert_eq!(standings.order(&endpoints, 0, &RULE), Order::Turn(0));
        assert!(standings.failed_at(endpoints[0], Fault::Unreachable, &RULE, now));
        assert_eq!(places(&standings, &endpoints, 0, now + RULE.shortest), [0, 1, 2]);
    }

    #[test]
    fn failures_count_in_a_row_and_pass_over_at_most_half() {
        let (standings, endpoints, now) = (Standings::default(), endpoints(4), Instant::now());
        for _ in 1..RULE.failures {
            assert!(!standings.failed_at(endpoints[0], Fault::Failing, &RULE, now));
        }
        standings.answered(endpoints[0]);
        for endpoint in &endpoints {
            for failure in 1..=RULE.failures {
                let is_last = failure == RULE.failures;
                assert_eq!(
                    standings.failed_at(*endpoint, Fault::Failing, &RULE, now),
                    is_last
                );
            }
        }
        assert_eq!(places(&standings, &endpoints, 0, now), [2, 3, 0, 1]);
        // Where none takes connections all are asked nevertheless.
        for endpoint in &endpoints {
            standings.failed_at(*endpoint, Fault::Unreachable, &RULE, now);
        }
        assert_eq!(places(&standings, &endpoints, 1, now), [1, 2, 3, 0]);
    }

    #[test]
    fn how_many_that_break_off_may_be_passed_over_is_a_rule() {
        let (endpoints, now) = (endpoints(4), Instant::now());
        for (most_percent, expected) in [(0, [0, 1, 2, 3]), (25, [1, 2, 3, 0]), (100, [3, 0, 1, 2])] {
            let rule = PassRule {
                most_percent,
                failures: 1,
                ..RULE
            };
            let standings = Standings::default();
            for endpoint in &endpoints[..3] {
                assert!(standings.failed_at(*endpoint, Fault::Failing, &rule, now));
            }
            let order = standings.order_at(&endpoints, 0, &rule, now);
            let places: Vec<_> = (0..4).map(|step| order.place(step, 4)).collect();
            assert_eq!(places, expected, "{most_percent}");
        }
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let (standings, now) = (Standings::default(), Instant::now());
        let many = endpoints(u16::try_from(STANDINGS).unwrap() + 1);
        for endpoint in &many {
            standings.failed_at(*endpoint, Fault::Unreachable, &RULE, now);
        }
        assert_eq!(standings.known.lock().len(), STANDINGS);
        standings.forget();
        assert_eq!(standings.known.lock().len(), STANDINGS, "they failed just now");
        for endpoint in &many {
            standings.answered(*endpoint);
        }
        assert_eq!(standings.order(&many, 7, &RULE), Order::Turn(7));
    }
}
