//! `NodeMetrics` and `PodMetrics`. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::seen::{Place, PodSeen};
use crate::usage::{Figures, NodeUsage};

const VERSION: &str = "metrics.k8s.io/v1beta1";

/// A node's metrics; none before there are figures.
pub(super) fn node(
    name: &str,
    labels: &BTreeMap<String, String>,
    usage: &NodeUsage,
    now: Timestamp,
) -> Option<Value> {
    let figures = usage.node(now.as_millisecond())?;
    Some(json!({
        "kind": "NodeMetrics",
        "apiVersion": VERSION,
        "metadata": { "name": name, "creationTimestamp": time(now), "labels": labels },
        "timestamp": time_of(figures.at_ms),
        "window": window(figures.window_ms),
        "usage": used(&figures),
    }))
}

/// A Pod's metrics; none before there are figures of each of its containers that run.
pub(super) fn pod(place: &Place, pod: &PodSeen, usage: &NodeUsage, now: Timestamp) -> Option<Value> {
    let containers = usage.pod(&place.0, &place.1, now.as_millisecond());
    if containers.is_empty() || containers.len() < pod.starts.len() {
        return None;
    }
    // As of the container whose figures are the oldest.
    let oldest = containers
        .iter()
        .map(|(_, figures)| figures)
        .min_by_key(|figures| figures.at_ms)?;
    Some(json!({
        "kind": "PodMetrics",
        "apiVersion": VERSION,
        "metadata": { "name": place.1, "namespace": place.0, "creationTimestamp": time(now), "labels": pod.labels },
        "timestamp": time_of(oldest.at_ms),
        "window": window(oldest.window_ms),
        "containers": containers
            .iter()
            .map(|(name, figures)| json!({ "name": name, "usage": used(figures) }))
            .collect::<Vec<_>>(),
    }))
}

/// A list of them.
pub(super) fn list(kind: &str, items: &[Value]) -> Value {
    json!({ "kind": kind, "apiVersion": VERSION, "metadata": {}, "items": items })
}

/// Quantities in the units that metrics-server has: billionths of a CPU, KiB.
fn used(figures: &Figures) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "neither is negative, and a machine of so many CPUs or bytes is not built"
    )]
    let (cpu, memory) = (
        (figures.cpu.max(0.0) * 1e9) as u64,
        (figures.memory_bytes.max(0.0) / 1024.0) as u64,
    );
    json!({ "cpu": format!("{cpu}n"), "memory": format!("{memory}Ki") })
}

/// A duration as Go writes it.
fn window(milliseconds: i64) -> String {
    format!("{}.{:03}s", milliseconds / 1000, milliseconds % 1000)
}

fn time_of(milliseconds: i64) -> String {
    time(Timestamp::from_millisecond(milliseconds).unwrap_or_default())
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_in_metrics_servers_units() {
        let figures = Figures {
            cpu: 0.25,
            memory_bytes: 10_240.0,
            at_ms: 0,
            window_ms: 15_025,
        };
        assert_eq!(used(&figures), json!({"cpu": "250000000n", "memory": "10Ki"}));
        assert_eq!(window(figures.window_ms), "15.025s");
        assert_eq!(time_of(1_000), "1970-01-01T00:00:01Z");
    }
}
