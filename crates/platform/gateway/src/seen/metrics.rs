//! The figures as Prometheus reads them. Series are bounded: one set for each namespace that has been asked for, and no
//! label has a value from outside.

use std::{fmt, time::SystemTime};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use toolforge_figures::describe;
use toolforge_registrations::Event as Registering;

use super::{
    families,
    health::KINDS,
    pages::Seen,
    tally::{ANSWER_SECONDS, Counts, Event, Requests},
};

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The figures, to be told.
pub(super) fn registry(seen: &Seen) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Reading(seen.clone())));
    seen.process.register(&mut registry);
    registry
}

/// The figures at the time when they are asked for.
#[derive(Debug)]
struct Reading(Seen);

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(seen) = self;
        let mut counts = Counts::default();
        for tally in seen.tallies.iter() {
            tally.add_to(&mut counts);
        }
        requests(&mut encoder, &counts)?;
        answer_time(&mut encoder, &counts)?;
        events(&mut encoder, &counts)?;
        connections(&mut encoder, seen)?;
        table(&mut encoder, seen)?;
        certificates(&mut encoder, seen)?;
        seen.registrations
            .as_ref()
            .map_or(Ok(()), |seen| registrations(&mut encoder, seen))
    }
}

fn by_namespace(counts: &Counts) -> Vec<(&str, &Requests)> {
    let named = counts
        .namespaces
        .iter()
        .map(|(name, requests)| (&**name, requests));
    let mut all: Vec<_> = named.chain([("others", &counts.others)]).collect();
    all.retain(|(_, requests)| **requests != Requests::default());
    all.sort_by_key(|(name, _)| *name);
    all
}

fn requests(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    let all = by_namespace(counts);
    let mut family = describe(encoder, &families::REQUESTS)?;
    for (namespace, requests) in &all {
        for (class, count) in CLASSES
            .iter()
            .zip(requests.by_class)
            .filter(|(_, count)| *count > 0)
        {
            let labels = [("namespace", *namespace), ("code", *class)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    let mut family = describe(encoder, &families::REQUEST_TIME)?;
    for (namespace, requests) in &all {
        let labels = [("namespace", *namespace)];
        ConstCounter::new(requests.time.as_secs_f64()).encode(family.encode_family(&labels)?)?;
    }
    let mut family = describe(encoder, &families::SENT)?;
    for (namespace, requests) in &all {
        let labels = [("namespace", *namespace)];
        ConstCounter::new(requests.sent_bytes).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn answer_time(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    let mut family = describe(encoder, &families::ANSWER)?;
    let bounds = ANSWER_SECONDS.iter().copied().chain([f64::INFINITY]);
    let buckets: Vec<_> = bounds.zip(counts.within).collect();
    let count = counts.within.iter().sum();
    family.encode_histogram::<prometheus_client::encoding::NoLabelSet>(
        counts.answer_time.as_secs_f64(),
        count,
        &buckets,
        None,
    )
}

fn events(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    let mut family = describe(encoder, &families::EVENTS)?;
    for (event, count) in Event::ALL.iter().zip(counts.events) {
        ConstCounter::new(count).encode(family.encode_family(&[("event", event.label())])?)?;
    }
    Ok(())
}

fn connections(encoder: &mut DescriptorEncoder<'_>, seen: &Seen) -> fmt::Result {
    let count = |of: fn(&super::tally::Tally) -> i64| seen.tallies.iter().map(|tally| of(tally)).sum::<i64>();
    let figures = [
        (families::CONNECTIONS, count(|tally| tally.connections.count())),
        (families::UPGRADED, count(|tally| tally.tunnels.count())),
        (families::LINES_DROPPED, seen.lines_dropped()),
    ];
    for (family, value) in figures {
        ConstGauge::new(value).encode(describe(encoder, &family)?)?;
    }
    Ok(())
}

fn table(encoder: &mut DescriptorEncoder<'_>, seen: &Seen) -> fmt::Result {
    let mut family = describe(encoder, &families::API_HEARD)?;
    for (object, name) in KINDS {
        let is_heard = i64::from(seen.health.is_heard(object));
        ConstGauge::new(is_heard).encode(family.encode_family(&[("resource", name)])?)?;
    }
    let hosts = i64::try_from(seen.shared.table.load().host_count()).unwrap_or(i64::MAX);
    ConstGauge::new(hosts).encode(describe(encoder, &families::HOSTS)?)?;
    let family = describe(encoder, &families::TABLE_CHANGED)?;
    ConstGauge::new(seen.health.changed_seconds()).encode(family)
}

fn registrations(encoder: &mut DescriptorEncoder<'_>, seen: &toolforge_registrations::Seen) -> fmt::Result {
    let mut family = describe(encoder, &families::REGISTRATIONS)?;
    for (state, count) in ["unchecked", "alive", "dead"].iter().zip(seen.counts()) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        ConstGauge::new(count).encode(family.encode_family(&[("state", *state)])?)?;
    }
    let mut family = describe(encoder, &families::REGISTERING)?;
    for event in Registering::ALL {
        let count = ConstCounter::new(seen.figures().count(event));
        count.encode(family.encode_family(&[("event", event.label())])?)?;
    }
    Ok(())
}

fn certificates(encoder: &mut DescriptorEncoder<'_>, seen: &Seen) -> fmt::Result {
    let mut family = describe(encoder, &families::CERTIFICATE_ENDS)?;
    for ends in seen.certificates.ends() {
        let first = ends
            .first
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let seconds = i64::try_from(first.as_secs()).unwrap_or(i64::MAX);
        ConstGauge::new(seconds).encode(family.encode_family(&[("source", ends.source)])?)?;
    }
    Ok(())
}
