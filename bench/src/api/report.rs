//! The table of a run of the API's bench: ours, the peer's where there is one, and what is to be reached.

use std::collections::BTreeMap;

use crate::figures::{Figure, shown};

/// What is measured, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Creates,
    CreateMedian,
    CreateSlowest,
    CreateProcessor,
    Gets,
    GetSlowest,
    GetProcessor,
    Lists,
    ListProcessor,
    GzipLists,
    GzipListProcessor,
    EventMedian,
    EventSlowest,
    EventLast,
    EventProcessor,
    ReadyFresh,
    ReadyFilled,
    IdleMemory,
    IdleProcessor,
    PodMemory,
    FilledMemory,
}

/// How good a figure is to be.
#[derive(Debug, Clone, Copy)]
enum Goal {
    /// At least so many times the reference.
    Times(f64),
    /// At most this.
    AtMost(f64),
    /// It is told, not judged.
    None,
}

struct Facts {
    row: Row,
    what: &'static str,
    unit: &'static str,
    /// kube-apiserver 1.36 with etcd 3.6, measured once on a machine like those that this is developed on: 2 cores.
    reference: Option<f64>,
    goal: Goal,
}

#[rustfmt::skip]
const ROWS: &[Facts] = &[
    row(Row::Creates, "durable creates, 16 writers", "/s", Some(1800.0), Goal::Times(3.0)),
    row(Row::CreateMedian, "  p50", "ms", None, Goal::None),
    row(Row::CreateSlowest, "  p99", "ms", Some(30.0), Goal::None),
    row(Row::CreateProcessor, "  server's CPU of one", "ms", Some(0.94), Goal::None),
    row(Row::Gets, "gets, 16 readers", "/s", Some(1900.0), Goal::Times(10.0)),
    row(Row::GetSlowest, "  p99", "ms", None, Goal::None),
    row(Row::GetProcessor, "  server's CPU of one", "ms", None, Goal::None),
    row(Row::Lists, "lists of 18,000 ConfigMaps", "/s", Some(7.0), Goal::Times(10.0)),
    row(Row::ListProcessor, "  server's CPU of one", "ms", None, Goal::None),
    row(Row::GzipLists, "lists of 18,000 ConfigMaps, gzip", "/s", Some(7.0), Goal::Times(10.0)),
    row(Row::GzipListProcessor, "  server's CPU of one", "ms", None, Goal::None),
    row(Row::EventMedian, "event to 1,000 watchers, p50", "ms", None, Goal::None),
    row(Row::EventSlowest, "  p99", "ms", None, Goal::AtMost(50.0)),
    row(Row::EventLast, "  last watcher, median of events", "ms", None, Goal::None),
    row(Row::EventProcessor, "  server's CPU of one event", "ms", None, Goal::None),
    row(Row::ReadyFresh, "platform ready, fresh data", "ms", None, Goal::None),
    row(Row::ReadyFilled, "platform ready with 10,000 Pods", "ms", Some(2300.0), Goal::AtMost(300.0)),
    row(Row::IdleMemory, "memory, idle with controllers (PSS)", "MB", Some(490.0), Goal::AtMost(50.0)),
    row(Row::IdleProcessor, "CPU when idle, of one core", "%", None, Goal::None),
    row(Row::PodMemory, "memory after creating 10,000 Pods", "MB", None, Goal::AtMost(200.0)),
    row(Row::FilledMemory, "memory after a start with 10,000 Pods", "MB", None, Goal::AtMost(200.0)),
];

const fn row(row: Row, what: &'static str, unit: &'static str, reference: Option<f64>, goal: Goal) -> Facts {
    Facts {
        row,
        what,
        unit,
        reference,
        goal,
    }
}

/// Figures of all runs by row.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<Row, Figure>);

impl Figures {
    /// Adds the value of a run.
    pub(crate) fn add(&mut self, row: Row, value: f64) {
        self.0.entry(row).or_default().add(value);
    }

    fn median(&self, row: Row) -> Option<f64> {
        self.0.get(&row)?.median()
    }
}

/// Prints the table. Ratios are against the peer where it was measured, else against the reference.
pub(crate) fn print(ours: &Figures, peer: Option<&Figures>) {
    let other = if peer.is_some() { "peer" } else { "reference" };
    println!(
        "{:<38} {:>9} {:<3} {:>17} {:>10} {:>7}  goal",
        "", "ours", "", "least to most", other, "ratio"
    );
    for facts in ROWS {
        print_row(facts, ours, peer);
    }
    if peer.is_none() {
        println!(
            "reference: kube-apiserver 1.36 with etcd 3.6, measured on another 2 cores; for one in the same run give \
             --peer URL --peer-token-file FILE --peer-ca FILE"
        );
    }
}

fn print_row(facts: &Facts, ours: &Figures, peer: Option<&Figures>) {
    let Some(figure) = ours.0.get(&facts.row) else {
        return;
    };
    let (Some(median), Some((least, most))) = (figure.median(), figure.range()) else {
        return;
    };
    let other = match peer {
        Some(peer) => peer.median(facts.row),
        None => facts.reference,
    };
    let ratio = other.filter(|other| *other > 0.0).map(|other| median / other);
    let text = |value: Option<f64>| value.map(shown).unwrap_or_default();
    println!(
        "{:<38} {:>9} {:<3} {:>17} {:>10} {:>7}  {}",
        facts.what,
        shown(median),
        facts.unit,
        format!("{} to {}", shown(least), shown(most)),
        text(other),
        ratio
            .map(|ratio| format!("{}x", shown(ratio)))
            .unwrap_or_default(),
        verdict(facts.goal, median, ratio),
    );
}

fn verdict(goal: Goal, median: f64, ratio: Option<f64>) -> String {
    let (goal, met) = match (goal, ratio) {
        (Goal::Times(times), Some(ratio)) => (format!("at least {times}x"), ratio >= times),
        (Goal::AtMost(most), _) => (format!("at most {most}"), median <= most),
        _ => return String::new(),
    };
    format!("{goal}: {}", if met { "met" } else { "MISSED" })
}
