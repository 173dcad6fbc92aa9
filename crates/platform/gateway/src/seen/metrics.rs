//! The figures as Prometheus reads them. Series are bounded: one set for each namespace that has been asked for, and no
//! label has a value from outside.

use std::{fmt, time::SystemTime};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text::encode},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use toolforge_registrations::Event as Registering;

use super::{
    health::KINDS,
    pages::Seen,
    tally::{ANSWER_SECONDS, Counts, Event, Requests},
};

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// All figures as text.
///
/// # Errors
/// Never, as it is written into memory.
pub(super) fn text(seen: &Seen) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Reading(seen.clone())));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
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
    let help = "Requests by the namespace that they went to, none for those that belong to no tool, and by status class";
    let mut family = encoder.encode_descriptor("toolforge_gateway_requests", help, None, kind::COUNTER)?;
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
    let help = "Time until the heads of answers came";
    let mut family = encoder.encode_descriptor(
        "toolforge_gateway_request_time",
        help,
        Some(&Unit::Seconds),
        kind::COUNTER,
    )?;
    for (namespace, requests) in &all {
        let labels = [("namespace", *namespace)];
        ConstCounter::new(requests.time.as_secs_f64()).encode(family.encode_family(&labels)?)?;
    }
    let help = "Bytes of the bodies that visitors got";
    let mut family =
        encoder.encode_descriptor("toolforge_gateway_sent", help, Some(&Unit::Bytes), kind::COUNTER)?;
    for (namespace, requests) in &all {
        let labels = [("namespace", *namespace)];
        ConstCounter::new(requests.sent_bytes).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn answer_time(encoder: &mut DescriptorEncoder<'_>, counts: &Counts) -> fmt::Result {
    let help = "Time until the head of a tool's answer came, over all tools";
    let mut family = encoder.encode_descriptor(
        "toolforge_gateway_answer",
        help,
        Some(&Unit::Seconds),
        kind::HISTOGRAM,
    )?;
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
    let help = "What happened besides answers of tools";
    let mut family = encoder.encode_descriptor("toolforge_gateway_events", help, None, kind::COUNTER)?;
    for (event, count) in Event::ALL.iter().zip(counts.events) {
        ConstCounter::new(count).encode(family.encode_family(&[("event", event.label())])?)?;
    }
    Ok(())
}

fn connections(encoder: &mut DescriptorEncoder<'_>, seen: &Seen) -> fmt::Result {
    let count = |of: fn(&super::tally::Tally) -> i64| seen.tallies.iter().map(|tally| of(tally)).sum::<i64>();
    let figures = [
        (
            "toolforge_gateway_connections",
            "Connections of visitors that are open",
            count(|tally| tally.connections.count()),
        ),
        (
            "toolforge_gateway_upgraded_connections",
            "Connections that became something else, such as WebSockets",
            count(|tally| tally.tunnels.count()),
        ),
        (
            "toolforge_gateway_access_log_lines_dropped",
            "Lines that the access log's disk was too slow for",
            seen.lines_dropped(),
        ),
    ];
    for (name, help, value) in figures {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, kind::GAUGE)?)?;
    }
    Ok(())
}

fn table(encoder: &mut DescriptorEncoder<'_>, seen: &Seen) -> fmt::Result {
    let help = "Whether the API says what becomes of these objects; without it the last table is served";
    let mut family = encoder.encode_descriptor("toolforge_gateway_api_heard", help, None, kind::GAUGE)?;
    for (object, name) in KINDS {
        let is_heard = i64::from(seen.health.is_heard(object));
        ConstGauge::new(is_heard).encode(family.encode_family(&[("resource", name)])?)?;
    }
    let hosts = i64::try_from(seen.table.load().host_count()).unwrap_or(i64::MAX);
    let help = "Hosts and patterns of hosts that something is served for";
    ConstGauge::new(hosts).encode(encoder.encode_descriptor(
        "toolforge_gateway_hosts",
        help,
        None,
        kind::GAUGE,
    )?)?;
    let help = "When the routing table last changed; 0 while it is that of an earlier run";
    let name = "toolforge_gateway_table_changed_timestamp";
    let family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), kind::GAUGE)?;
    ConstGauge::new(seen.health.changed_seconds()).encode(family)
}

fn registrations(encoder: &mut DescriptorEncoder<'_>, seen: &toolforge_registrations::Seen) -> fmt::Result {
    let help = "Registered webservices outside of Kubernetes, by what their checks have found";
    let mut family = encoder.encode_descriptor("toolforge_gateway_registrations", help, None, kind::GAUGE)?;
    for (state, count) in ["unchecked", "alive", "dead"].iter().zip(seen.counts()) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        ConstGauge::new(count).encode(family.encode_family(&[("state", *state)])?)?;
    }
    let help = "What happened where webservices register, and to their registrations";
    let name = "toolforge_gateway_registration_events";
    let mut family = encoder.encode_descriptor(name, help, None, kind::COUNTER)?;
    for event in Registering::ALL {
        let count = ConstCounter::new(seen.figures().count(event));
        count.encode(family.encode_family(&[("event", event.label())])?)?;
    }
    Ok(())
}

fn certificates(encoder: &mut DescriptorEncoder<'_>, seen: &Seen) -> fmt::Result {
    let help = "When the certificate ends that ends first, by where they are from";
    let name = "toolforge_gateway_certificate_expiry_timestamp";
    let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), kind::GAUGE)?;
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

mod kind {
    use prometheus_client::metrics::MetricType;
    pub(super) const COUNTER: MetricType = MetricType::Counter;
    pub(super) const GAUGE: MetricType = MetricType::Gauge;
    pub(super) const HISTOGRAM: MetricType = MetricType::Histogram;
}
