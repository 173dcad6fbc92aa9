#![expect(clippy::float_cmp, reason = "what is compared was written and not computed")]

use std::time::Duration;

use toolforge_exposition::{Sample, samples};

use super::*;
use crate::{
    runtime::{ContainerId, ContainerPlace},
    usage::{Allowance, Memory, Throttling, Usage},
};

fn reading(pod: &str, container: &str, seconds: u64) -> Reading {
    Reading {
        id: ContainerId::new(format!("id-{pod}-{container}")),
        place: ContainerPlace {
            namespace: "tool-demo".to_owned(),
            pod: pod.to_owned(),
            pod_uid: format!("uid-{pod}"),
            container: container.to_owned(),
            attempt: 0,
        },
        image: "registry/python".to_owned(),
        group: format!("/toolforge/{pod}-{container}"),
        started: Timestamp::from_second(1_700_000_000).expect("time"),
        allowance: Allowance {
            memory_bytes: Some(512 << 20),
            cpu_quota_us: Some(50_000),
            cpu_period_us: 100_000,
            cpu_shares: 512,
            pids: Some(512),
        },
        usage: Usage {
            cpu: Duration::from_secs(seconds),
            throttling: Some(Throttling {
                periods: 10,
                throttled_periods: 4,
                throttled: Duration::from_secs(2),
            }),
            memory: Memory {
                usage_bytes: 300,
                working_set_bytes: 200,
                ..Memory::default()
            },
            ..Usage::default()
        },
    }
}

fn scene() -> Scene {
    Scene {
        meter: Arc::new(Meter {
            node: "one".to_owned(),
            machine: Machine::detect(),
            controllers: Controllers::none(),
        }),
        load: Load {
            cpu: Duration::from_secs(100),
            interfaces: Vec::new(),
            ..Load::default()
        },
        readings: vec![
            reading("a", "web", 3),
            reading("a", "side", 4),
            reading("b", "web", 5),
        ],
        now: Timestamp::from_second(1_700_000_100).expect("time"),
    }
}

fn find<'a>(page: &'a str, name: &str, labels: &[(&str, &str)]) -> Vec<Sample<'a>> {
    samples(page)
        .map(|sample| sample.expect("every line is a figure"))
        .filter(|sample| sample.name == name)
        .filter(|sample| labels.iter().all(|(label, value)| sample.label(label) == *value))
        .collect()
}

#[test]
fn pods_are_the_sum_of_their_containers() {
    let page = resource::page(&scene());
    let pods = find(&page, "pod_cpu_usage_seconds_total", &[]);
    let told: Vec<(&str, f64)> = pods.iter().map(|one| (one.label("pod"), one.value)).collect();
    assert_eq!(told, [("a", 7.0), ("b", 5.0)]);
    assert_eq!(pods[0].at_ms, Some(1_700_000_100_000));
    assert_eq!(find(&page, "container_memory_working_set_bytes", &[]).len(), 3);
    assert_eq!(find(&page, "node_cpu_usage_seconds_total", &[])[0].value, 100.0);
}

#[test]
fn every_family_stands_once_and_every_series_has_cadvisors_labels() {
    let page = cadvisor::page(&scene());
    let mut families: Vec<&str> = page.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let all = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), all);
    let labels = [
        ("container", "web"),
        ("pod", "a"),
        ("namespace", "tool-demo"),
        ("image", "registry/python"),
        ("name", "id-a-web"),
        ("id", "/toolforge/a-web"),
    ];
    let one = |name| {
        let found = find(&page, name, &labels);
        assert_eq!(found.len(), 1, "{name}");
        found[0].value
    };
    assert_eq!(one("container_cpu_usage_seconds_total"), 3.0);
    assert_eq!(one("container_cpu_cfs_throttled_periods_total"), 4.0);
    assert_eq!(one("container_spec_memory_limit_bytes"), 536_870_912.0);
    assert_eq!(one("container_last_seen"), 1_700_000_100.0);
    assert!(
        find(&page, "container_memory_rss", &labels).is_empty(),
        "unknown is not zero"
    );
    let root = find(&page, "container_cpu_usage_seconds_total", &[("id", "/")]);
    assert_eq!((root[0].value, root[0].label("cpu")), (100.0, "total"));
}

#[test]
fn the_summary_and_the_own_page_count_pods() {
    let summary = summary::of(&scene());
    assert_eq!(summary["pods"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        summary["pods"][0]["cpu"]["usageCoreNanoSeconds"],
        7_000_000_000_u64
    );
    assert_eq!(summary["pods"][0]["memory"]["workingSetBytes"], 400);
    let page = own::page(&scene());
    let undeclared = toolforge_exposition::undeclared(&page, FAMILIES);
    assert!(undeclared.is_empty(), "{undeclared:?}");
    assert_eq!(find(&page, "kubelet_running_pods", &[])[0].value, 2.0);
    assert_eq!(find(&page, "kubelet_running_containers", &[])[0].value, 3.0);
}
