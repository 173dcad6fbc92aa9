//! `/metrics/cadvisor`: what containers use, with cAdvisor's names and labels
//! (<https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md>).
//!
//! What cannot be told truthfully is not told. Containers are processes in the machine's own network and on its own disks,
//! so traffic is there for the machine (`id="/"`) alone, and nothing of file systems. Pods have no group of their own, so
//! there is no series for one; sum those of its containers.

use toolforge_exposition::{Kind, Page};

use super::{Scene, seconds};
use crate::{
    machine::Interface,
    usage::{Memory, Reading},
};

/// A figure that may not be known.
type Figure<T> = fn(&T) -> Option<f64>;

/// Of containers alone.
const CONTAINERS: [(&str, Kind, &str, Figure<Reading>); 16] = [
    (
        "container_cpu_user_seconds_total",
        Kind::Counter,
        "Cumulative user cpu time consumed in seconds.",
        |reading| reading.usage.cpu_user.map(|time| time.as_secs_f64()),
    ),
    (
        "container_cpu_system_seconds_total",
        Kind::Counter,
        "Cumulative system cpu time consumed in seconds.",
        |reading| reading.usage.cpu_system.map(|time| time.as_secs_f64()),
    ),
    (
        "container_cpu_cfs_periods_total",
        Kind::Counter,
        "Number of elapsed enforcement period intervals.",
        |reading| limited(reading, |throttling| float(throttling.periods)),
    ),
    (
        "container_cpu_cfs_throttled_periods_total",
        Kind::Counter,
        "Number of throttled period intervals.",
        |reading| limited(reading, |throttling| float(throttling.throttled_periods)),
    ),
    (
        "container_cpu_cfs_throttled_seconds_total",
        Kind::Counter,
        "Total time duration the container has been throttled.",
        |reading| limited(reading, |throttling| throttling.throttled.as_secs_f64()),
    ),
    (
        "container_processes",
        Kind::Gauge,
        "Number of processes running inside the container.",
        |reading| reading.usage.processes.map(float),
    ),
    (
        "container_threads",
        Kind::Gauge,
        "Number of threads running inside the container",
        |reading| reading.usage.threads.map(float),
    ),
    (
        "container_threads_max",
        Kind::Gauge,
        "Maximum number of threads allowed inside the container, infinity if value is zero",
        |reading| reading.allowance.pids.map(float),
    ),
    (
        "container_start_time_seconds",
        Kind::Gauge,
        "Start time of the container since unix epoch in seconds.",
        |reading| Some(seconds(reading.started)),
    ),
    (
        "container_spec_cpu_period",
        Kind::Gauge,
        "CPU period of the container.",
        |reading| Some(float(reading.allowance.cpu_period_us)).filter(|period| *period > 0.0),
    ),
    (
        "container_spec_cpu_quota",
        Kind::Gauge,
        "CPU quota of the container.",
        |reading| reading.allowance.cpu_quota_us.map(float),
    ),
    (
        "container_spec_cpu_shares",
        Kind::Gauge,
        "CPU share of the container.",
        |reading| Some(float(reading.allowance.cpu_shares)).filter(|shares| *shares > 0.0),
    ),
    (
        "container_spec_memory_limit_bytes",
        Kind::Gauge,
        "Memory limit for the container.",
        |reading| Some(float(reading.allowance.memory_bytes.unwrap_or(0))),
    ),
    (
        "container_spec_memory_swap_limit_bytes",
        Kind::Gauge,
        "Memory swap limit for the container.",
        |reading| Some(float(reading.allowance.memory_bytes.unwrap_or(0))),
    ),
    (
        "container_spec_memory_reservation_limit_bytes",
        Kind::Gauge,
        "Memory reservation limit for the container.",
        |_| Some(0.0),
    ),
    (
        "container_oom_events_total",
        Kind::Counter,
        "Count of out of memory events observed for the container",
        |reading| reading.usage.memory.out_of_memory_kills.map(float),
    ),
];

/// Of containers and of the machine as a whole.
const MEMORY: [(&str, Kind, &str, Figure<Memory>); 8] = [
    (
        "container_memory_usage_bytes",
        Kind::Gauge,
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        |memory| Some(float(memory.usage_bytes)),
    ),
    (
        "container_memory_working_set_bytes",
        Kind::Gauge,
        "Current working set in bytes.",
        |memory| Some(float(memory.working_set_bytes)),
    ),
    (
        "container_memory_rss",
        Kind::Gauge,
        "Size of RSS in bytes.",
        |memory| memory.rss_bytes.map(float),
    ),
    (
        "container_memory_cache",
        Kind::Gauge,
        "Number of bytes of page cache memory.",
        |memory| memory.cache_bytes.map(float),
    ),
    (
        "container_memory_mapped_file",
        Kind::Gauge,
        "Size of memory mapped files in bytes.",
        |memory| memory.mapped_file_bytes.map(float),
    ),
    (
        "container_memory_swap",
        Kind::Gauge,
        "Container swap usage in bytes.",
        |memory| memory.swap_bytes.map(float),
    ),
    (
        "container_memory_max_usage_bytes",
        Kind::Gauge,
        "Maximum memory usage recorded in bytes",
        |memory| memory.max_usage_bytes.map(float),
    ),
    (
        "container_memory_failcnt",
        Kind::Counter,
        "Number of memory usage hits limits",
        |memory| memory.limit_hits.map(float),
    ),
];

/// What an interface has counted.
type Count = fn(&Interface) -> u64;

const TRAFFIC: [(&str, &str, Count); 8] = [
    (
        "container_network_receive_bytes_total",
        "Cumulative count of bytes received",
        |interface| interface.received.bytes,
    ),
    (
        "container_network_receive_packets_total",
        "Cumulative count of packets received",
        |interface| interface.received.packets,
    ),
    (
        "container_network_receive_errors_total",
        "Cumulative count of errors encountered while receiving",
        |interface| interface.received.errors,
    ),
    (
        "container_network_receive_packets_dropped_total",
        "Cumulative count of packets dropped while receiving",
        |interface| interface.received.dropped,
    ),
    (
        "container_network_transmit_bytes_total",
        "Cumulative count of bytes transmitted",
        |interface| interface.sent.bytes,
    ),
    (
        "container_network_transmit_packets_total",
        "Cumulative count of packets transmitted",
        |interface| interface.sent.packets,
    ),
    (
        "container_network_transmit_errors_total",
        "Cumulative count of errors encountered while transmitting",
        |interface| interface.sent.errors,
    ),
    (
        "container_network_transmit_packets_dropped_total",
        "Cumulative count of packets dropped while transmitting",
        |interface| interface.sent.dropped,
    ),
];

/// The machine as a whole.
const ROOT: [(&str, &str); 6] = labels("", "/", "", "", "", "");

pub(super) fn page(scene: &Scene) -> String {
    let mut page = Page::default();
    containers(&mut page, scene);
    cpu(&mut page, scene);
    memory(&mut page, scene);
    traffic(&mut page, scene);
    machine(&mut page, scene);
    page.into_text()
}

const fn labels<'a>(
    container: &'a str,
    id: &'a str,
    image: &'a str,
    name: &'a str,
    namespace: &'a str,
    pod: &'a str,
) -> [(&'a str, &'a str); 6] {
    [
        ("container", container),
        ("id", id),
        ("image", image),
        ("name", name),
        ("namespace", namespace),
        ("pod", pod),
    ]
}

fn labels_of(reading: &Reading) -> [(&str, &str); 6] {
    let place = &reading.place;
    labels(
        &place.container,
        &reading.group,
        &reading.image,
        reading.id.as_str(),
        &place.namespace,
        &place.pod,
    )
}

/// These labels and one more, which stands between them by its name in no order that anybody asks for.
fn with<'a>(labels: [(&'a str, &'a str); 6], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut labels = labels.to_vec();
    labels.push((name, value));
    labels
}

fn containers(page: &mut Page, scene: &Scene) {
    for (name, kind, help, figure) in CONTAINERS {
        page.family(name, kind, help);
        for reading in &scene.readings {
            if let Some(value) = figure(reading) {
                page.sample(name, &labels_of(reading), value);
            }
        }
    }
    page.family(
        "container_last_seen",
        Kind::Gauge,
        "Last time a container was seen by the exporter",
    );
    for reading in &scene.readings {
        page.sample("container_last_seen", &labels_of(reading), scene.now.as_second());
    }
}

fn cpu(page: &mut Page, scene: &Scene) {
    let name = "container_cpu_usage_seconds_total";
    page.family(name, Kind::Counter, "Cumulative cpu time consumed in seconds.");
    let root = with(ROOT, "cpu", "total");
    page.sample(name, &root, scene.load.cpu.as_secs_f64());
    for reading in &scene.readings {
        let labels = with(labels_of(reading), "cpu", "total");
        page.sample(name, &labels, reading.usage.cpu.as_secs_f64());
    }
}

fn memory(page: &mut Page, scene: &Scene) {
    for (name, kind, help, figure) in MEMORY {
        page.family(name, kind, help);
        if let Some(value) = figure(&scene.load.memory) {
            page.sample(name, &ROOT, value);
        }
        for reading in &scene.readings {
            if let Some(value) = figure(&reading.usage.memory) {
                page.sample(name, &labels_of(reading), value);
            }
        }
    }
    let name = "container_memory_failures_total";
    page.family(
        name,
        Kind::Counter,
        "Cumulative count of memory allocation failures.",
    );
    for reading in &scene.readings {
        let Some((minor, major)) = reading.usage.memory.faults else {
            continue;
        };
        for (failure, count) in [("pgfault", minor), ("pgmajfault", major)] {
            let mut labels = with(labels_of(reading), "failure_type", failure);
            labels.push(("scope", "container"));
            page.sample(name, &labels, count);
        }
    }
}

fn traffic(page: &mut Page, scene: &Scene) {
    for (name, help, figure) in TRAFFIC {
        page.family(name, Kind::Counter, help);
        for interface in &scene.load.interfaces {
            page.sample(name, &with(ROOT, "interface", &interface.name), figure(interface));
        }
    }
}

fn machine(page: &mut Page, scene: &Scene) {
    let machine = &scene.meter.machine;
    for (name, help, value) in [
        (
            "machine_cpu_cores",
            "Number of logical CPU cores.",
            machine.cpus as u64,
        ),
        (
            "machine_memory_bytes",
            "Amount of memory installed on the machine.",
            machine.memory_bytes,
        ),
    ] {
        page.single(name, Kind::Gauge, help, value);
    }
    page.single(
        "container_scrape_error",
        Kind::Gauge,
        "1 if there was an error while getting container metrics, 0 otherwise",
        0,
    );
}

/// What a limit on CPU did, where there is one.
fn limited(reading: &Reading, figure: impl Fn(&crate::usage::Throttling) -> f64) -> Option<f64> {
    reading.allowance.cpu_quota_us?;
    reading.usage.throttling.as_ref().map(figure)
}

#[expect(clippy::cast_precision_loss, reason = "amounts are small against 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}
