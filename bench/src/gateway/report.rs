//! The tables of a run of the gateway's bench, and what is to be reached.

use std::collections::BTreeMap;

use super::{
    load::Outcome,
    measure::{LOADS, Measure},
    memory::Memory,
    propagation::Round,
    proxy::Kind,
};
use crate::figures::{Figure, or_dash, shown};

/// Microseconds of a request through the three proxies of the original, from TLS to the tool.
const CHAIN: f64 = 377.0;
/// How much cheaper ours is to be.
const TIMES_CHEAPER: f64 = 15.0;
/// Megabytes with all hosts, at most.
const ALONE: f64 = 40.0;
/// Megabytes that idle connections add, at most: plain and over TLS.
const ADDED: (f64, f64) = (30.0, 90.0);

/// Milliseconds from a change's event until it is in effect, 99 of 100, at most.
const PROPAGATION: f64 = 5.0;

/// What a load came to in all runs.
#[derive(Debug, Default)]
struct Loaded {
    microseconds: Figure,
    p99_milliseconds: Figure,
    per_second: Figure,
}

/// What changes came to in all runs.
#[derive(Debug, Default)]
struct Propagated {
    median: Figure,
    p99: Figure,
    p99_with_write: Figure,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Figures {
    hosts: usize,
    idle_connections: usize,
    runs: u32,
    loads: BTreeMap<(Measure, Kind), Loaded>,
    alone: BTreeMap<Kind, Figure>,
    /// By whether it is over TLS.
    added: BTreeMap<(bool, Kind), Figure>,
    /// By whether they came at 100 a second.
    propagated: BTreeMap<bool, Propagated>,
    failures: Vec<String>,
}

impl Figures {
    pub(super) fn new(hosts: usize, idle_connections: usize, runs: u32) -> Self {
        Self {
            hosts,
            idle_connections,
            runs,
            loads: BTreeMap::new(),
            alone: BTreeMap::new(),
            added: BTreeMap::new(),
            propagated: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    pub(super) fn loaded(&mut self, measure: Measure, kind: Kind, outcome: Outcome) {
        let loaded = self.loads.entry((measure, kind)).or_default();
        loaded.microseconds.add(outcome.microseconds);
        loaded.p99_milliseconds.add(outcome.p99_milliseconds);
        loaded.per_second.add(outcome.per_second);
    }

    pub(super) fn remembered(&mut self, kind: Kind, is_secure: bool, memory: Memory) {
        self.alone.entry(kind).or_default().add(memory.alone);
        self.added.entry((is_secure, kind)).or_default().add(memory.added);
    }

    pub(super) fn propagated(&mut self, at_a_pace: bool, round: Round) {
        let propagated = self.propagated.entry(at_a_pace).or_default();
        propagated.median.add(round.median);
        propagated.p99.add(round.p99);
        propagated.p99_with_write.add(round.p99_with_write);
    }

    /// Notes what could not be measured; the rest goes on.
    pub(super) fn failed(&mut self, what: &str, kind: Kind, error: &anyhow::Error) {
        let failure = format!("{what}, {}: {error:#}", kind.name());
        eprintln!("  {failure}");
        self.failures.push(failure);
    }

    /// What could not be measured, and why.
    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    pub(super) fn print(&self) {
        println!(
            "\nmedians of {} runs, {} hosts, one worker each; CPU of the proxy alone",
            self.runs, self.hosts
        );
        self.print_loads();
        self.print_memory();
        self.print_propagation();
        println!();
        self.print_goals();
        for failure in &self.failures {
            println!("not measured: {failure}");
        }
    }

    fn print_loads(&self) {
        let measured = LOADS.iter().map(|(measure, ..)| *measure).filter(|measure| {
            Kind::ALL
                .iter()
                .any(|kind| self.loads.contains_key(&(*measure, *kind)))
        });
        let mut measured = measured.peekable();
        if measured.peek().is_none() {
            return;
        }
        println!(
            "\n{:<38}{:>27}{:>27}{:>27}",
            "", "CPU µs a request", "p99 ms", "requests/s"
        );
        let names = format!("{:>9}{:>9}{:>9}", "ours", "nginx", "haproxy");
        println!("{:<38}{names}{names}{names}", "");
        for measure in measured {
            let row = |figure: &dyn Fn(&Loaded) -> Option<f64>| {
                Kind::ALL
                    .map(|kind| self.loads.get(&(measure, kind)).and_then(figure))
                    .map(|value| format!("{:>9}", or_dash(value)))
                    .concat()
            };
            println!(
                "{:<38}{}{}{}",
                measure.what(),
                row(&|loaded| loaded.microseconds.median()),
                row(&|loaded| loaded.p99_milliseconds.median()),
                row(&|loaded| loaded.per_second.median()),
            );
        }
        println!(
            "nginx buffers bodies both ways, as it does by default; no access logs; the client offers TLS 1.3 alone, \
             AES-128-GCM, and but for one row X25519 with and without ML-KEM, of which ours takes the one with"
        );
    }

    fn print_memory(&self) {
        if self.alone.is_empty() {
            return;
        }
        println!(
            "\n{:<38}{:>9}{:>9}{:>9}",
            "memory (PSS), MB", "ours", "nginx", "haproxy"
        );
        let row = |what: &str, value: &dyn Fn(Kind) -> Option<f64>| {
            let values = Kind::ALL.map(|kind| format!("{:>9}", or_dash(value(kind))));
            println!("{what:<38}{}", values.concat());
        };
        row(&format!("{} hosts", self.hosts), &|kind| {
            self.alone.get(&kind)?.median()
        });
        let idle = self.idle_connections;
        for (is_secure, how) in [(false, "plain"), (true, "over TLS")] {
            row(&format!("{idle} idle connections, {how}: more"), &|kind| {
                self.added.get(&(is_secure, kind))?.median()
            });
        }
    }

    fn print_propagation(&self) {
        if self.propagated.is_empty() {
            return;
        }
        println!(
            "\n{:<38}{:>9}{:>9}{:>16}",
            "change of an endpoint, ms", "p50", "p99", "with write p99"
        );
        for (at_a_pace, figures) in &self.propagated {
            println!(
                "{:<38}{:>9}{:>9}{:>16}",
                pace(*at_a_pace),
                or_dash(figures.median.median()),
                or_dash(figures.p99.median()),
                or_dash(figures.p99_with_write.median())
            );
        }
    }

    fn print_goals(&self) {
        for (measure, ..) in LOADS {
            let microseconds = |kind| self.loads.get(&(measure, kind))?.microseconds.median();
            let Some(ours) = microseconds(Kind::Ours) else {
                continue;
            };
            let against = |kind: Kind, most: f64| {
                if let Some(theirs) = microseconds(kind) {
                    let what = format!("{}, of {}'s CPU", measure.what(), kind.name());
                    goal(&what, ours / theirs, "", most);
                }
            };
            against(Kind::Nginx, measure.share_of_nginx());
            against(Kind::Haproxy, 1.0);
        }
        if let Some(tls) = self.loads.get(&(Measure::Tls, Kind::Ours))
            && let Some(microseconds) = tls.microseconds.median()
        {
            let what = format!("from TLS to the tool; the original's took {CHAIN} µs");
            goal(&what, microseconds, "µs", CHAIN / TIMES_CHEAPER);
        }
        let memory = |figure: Option<&Figure>, what: &str, most| {
            if let Some(megabytes) = figure.and_then(Figure::median) {
                goal(what, megabytes, "MB", most);
            }
        };
        memory(self.alone.get(&Kind::Ours), "memory with all hosts", ALONE);
        memory(self.added.get(&(false, Kind::Ours)), "idle connections", ADDED.0);
        memory(
            self.added.get(&(true, Kind::Ours)),
            "idle connections over TLS",
            ADDED.1,
        );
        for (at_a_pace, figures) in &self.propagated {
            if let Some(p99) = figures.p99.median() {
                let what = format!("change of an endpoint, {}, p99", pace(*at_a_pace));
                goal(&what, p99, "ms", PROPAGATION);
            }
        }
    }
}

fn goal(what: &str, value: f64, unit: &str, most: f64) {
    let verdict = if value <= most { "met" } else { "MISSED" };
    let (value, most) = (shown(value), shown(most));
    println!("  {what:<52} {value:>7} {unit:<3} at most {most} {unit}: {verdict}");
}

fn pace(at_a_pace: bool) -> &'static str {
    if at_a_pace {
        "at 100 a second"
    } else {
        "one by one"
    }
}
