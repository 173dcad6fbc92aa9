//! `/stats/summary`: kubelet's older answer, as far as programs still read it: CPU and memory of the node, of Pods and of
//! their containers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Scene;
use crate::usage::{Memory, Reading};

pub(super) fn of(scene: &Scene) -> Value {
    let now = time(scene.now);
    let pods: Vec<Value> = scene
        .readings
        .chunk_by(|one, other| one.place.pod_uid == other.place.pod_uid)
        .filter_map(|pod| Some(pod_stats(pod.first()?, pod, &now)))
        .collect();
    let boot = i64::try_from(scene.load.boot_seconds).unwrap_or_default();
    json!({
        "node": {
            "nodeName": scene.meter.node,
            "startTime": time(Timestamp::from_second(boot).unwrap_or_default()),
            "cpu": cpu(&now, scene.load.cpu.as_nanos()),
            "memory": memory(&now, &[&scene.load.memory]),
        },
        "pods": pods,
    })
}

fn pod_stats(first: &Reading, containers: &[Reading], now: &str) -> Value {
    let started = containers.iter().map(|reading| reading.started).min();
    let memories: Vec<&Memory> = containers.iter().map(|reading| &reading.usage.memory).collect();
    let nanoseconds = containers.iter().map(|reading| reading.usage.cpu.as_nanos());
    json!({
        "podRef": {"name": first.place.pod, "namespace": first.place.namespace, "uid": first.place.pod_uid},
        "startTime": time(started.unwrap_or_default()),
        "containers": containers.iter().map(|reading| json!({
            "name": reading.place.container,
            "startTime": time(reading.started),
            "cpu": cpu(now, reading.usage.cpu.as_nanos()),
            "memory": memory(now, &[&reading.usage.memory]),
        })).collect::<Vec<_>>(),
        "cpu": cpu(now, nanoseconds.sum()),
        "memory": memory(now, &memories),
    })
}

fn cpu(now: &str, nanoseconds: u128) -> Value {
    json!({"time": now, "usageCoreNanoSeconds": u64::try_from(nanoseconds).unwrap_or(u64::MAX)})
}

fn memory(now: &str, parts: &[&Memory]) -> Value {
    let sum = |of: fn(&Memory) -> u64| parts.iter().map(|memory| of(memory)).sum::<u64>();
    json!({
        "time": now,
        "usageBytes": sum(|memory| memory.usage_bytes),
        "workingSetBytes": sum(|memory| memory.working_set_bytes),
        "rssBytes": sum(|memory| memory.rss_bytes.unwrap_or(0)),
    })
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
