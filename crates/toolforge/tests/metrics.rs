//! What tools and the node use, as `kubectl top` shows it and as the node's own files do.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
use toolforge_testkit::{Scratch, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// Holds 64 MiB and keeps about a third of a CPU busy.
const BUSY: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: busy
  labels: {app: busy}
spec:
  restartPolicy: Never
  containers:
    - name: main
      image: docker-registry.tools.wmflabs.org/toolforge-bookworm-sssd
      command:
        - perl
        - -e
        - 'my $x = \"x\" x (64 << 20); while (1) { my $end = times() + 0.1; 1 while times() < $end; select(undef, undef, undef, 0.2) }'
";

/// Rows of a table, as words.
fn rows(table: &str) -> Vec<Vec<String>> {
    let lines = table.lines();
    lines
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn number(cell: &str, unit: &str) -> f64 {
    let digits = cell.strip_suffix(unit);
    let digits = digits.unwrap_or_else(|| panic!("{cell} is not in {unit}"));
    digits.parse().unwrap()
}

/// A figure of the container on cAdvisor's page, by way of the API.
fn cadvisor(scratch: &Scratch, name: &str) -> f64 {
    let path = "/api/v1/nodes/localhost/proxy/metrics/cadvisor";
    let page = scratch.kubectl(&["get", "--raw", path]).ok();
    let line = page
        .lines()
        .find(|line| line.starts_with(&format!("{name}{{")) && line.contains("pod=\"busy\""));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{page}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// The memory cgroup of the container, where this machine has one for us.
fn memory_group(scratch: &Scratch) -> Option<PathBuf> {
    let path = "/api/v1/nodes/localhost/proxy/metrics/cadvisor";
    let page = scratch.kubectl(&["get", "--raw", path]).ok();
    let line = page
        .lines()
        .find(|line| line.starts_with("container_memory_usage_bytes{") && line.contains("pod=\"busy\""))?;
    let id = line.split("id=\"").nth(1)?.split('"').next()?;
    let roots = [
        "/sys/fs/cgroup/memory",
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/unified",
    ];
    let mut groups = roots.iter().map(|root| PathBuf::from(format!("{root}{id}")));
    groups.find(|group| group.is_dir())
}

/// What the container holds by its cgroup's own files, less files that were not used lately.
fn working_set(group: &Path) -> f64 {
    let read = |file: &str| fs::read_to_string(group.join(file)).ok();
    let usage = read("memory.usage_in_bytes").or_else(|| read("memory.current"));
    let usage: f64 = usage.unwrap().trim().parse().unwrap();
    let stat = read("memory.stat").unwrap();
    let inactive = ["total_inactive_file ", "inactive_file "]
        .iter()
        .find_map(|name| stat.lines().find_map(|line| line.strip_prefix(name)));
    usage - inactive.map_or(0.0, |bytes| bytes.parse().unwrap())
}

/// A Deployment whose Pods keep a fifth of a CPU busy and ask for a twentieth.
const LOADED: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: loaded
spec:
  selector: {matchLabels: {app: loaded}}
  template:
    metadata:
      labels: {app: loaded}
    spec:
      containers:
        - name: main
          image: docker-registry.tools.wmflabs.org/toolforge-bookworm-sssd
          resources: {requests: {cpu: 50m}, limits: {cpu: 500m}}
          command:
            - perl
            - -e
            - 'while (1) { my $end = times() + 0.05; 1 while times() < $end; select(undef, undef, undef, 0.2) }'
";

#[test]
fn an_autoscaler_follows_the_load() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let file = scratch.path().join("loaded.yaml");
    fs::write(&file, LOADED).unwrap();
    let file = file.to_str().unwrap();
    scratch.kubectl_as("hello", &["apply", "-f", file]).ok();
    let kubectl = |arguments: &[&str]| scratch.kubectl(&[&["-n", "tool-hello"], arguments].concat());
    eventually("figures of the Pod", || {
        let top = kubectl(&["top", "pod", "-l", "app=loaded", "--no-headers"]);
        let rows = rows(&top.stdout);
        let used = rows
            .first()
            .and_then(|row| row.get(1))
            .map(|cell| number(cell, "m"));
        used.filter(|used| *used > 50.0).ok_or(format!("{top:?}"))
    });

    let arguments = [
        "autoscale",
        "deployment",
        "loaded",
        "--min=1",
        "--max=2",
        "--cpu-percent=100",
    ];
    let refused = scratch.kubectl_as("hello", &arguments);
    assert!(refused.stderr.contains("Forbidden"), "{refused:?}");
    kubectl(&arguments).ok();
    eventually("a second Pod", || {
        let ready = kubectl(&[
            "get",
            "deployment",
            "loaded",
            "-o",
            "jsonpath={.status.readyReplicas}",
        ]);
        (ready.stdout == "2")
            .then_some(())
            .ok_or_else(|| kubectl(&["describe", "hpa", "loaded"]).stdout)
    });
    let table = scratch
        .kubectl_as("hello", &["get", "hpa", "loaded", "--no-headers"])
        .ok();
    let cells = &rows(&table)[0];
    assert_eq!(cells[..3], ["loaded", "Deployment/loaded", "cpu:"], "{table}");
    assert!(
        cells[3].ends_with("%/100%") && cells[4..6] == ["1", "2"],
        "{table}"
    );
    let described = eventually("what it did", || {
        let described = kubectl(&["describe", "hpa", "loaded"]).ok();
        let tells = described.contains("SuccessfulRescale") && described.contains("ValidMetricFound");
        tells.then_some(described.clone()).ok_or(described)
    });
    assert!(
        described.contains("New size: 2; reason: cpu resource utilization"),
        "{described}"
    );
    let older = kubectl(&[
        "get",
        "horizontalpodautoscalers.v1.autoscaling",
        "loaded",
        "-o",
        "json",
    ])
    .ok();
    let older: Value = serde_json::from_str(&older).unwrap();
    assert_eq!(older["spec"]["targetCPUUtilizationPercentage"], 100);

    let calm = r#"{"spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 5000}}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}}"#;
    kubectl(&["patch", "hpa", "loaded", "--type=merge", "-p", calm]).ok();
    eventually("one Pod again", || {
        let wanted = kubectl(&["get", "deployment", "loaded", "-o", "jsonpath={.spec.replicas}"]);
        (wanted.stdout == "1")
            .then_some(())
            .ok_or_else(|| kubectl(&["describe", "hpa", "loaded"]).stdout)
    });
}

#[test]
fn top_agrees_with_the_machines_own_figures() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let file = scratch.path().join("busy.yaml");
    fs::write(&file, BUSY).unwrap();
    let file = file.to_str().unwrap();
    scratch.kubectl_as("hello", &["apply", "-f", file]).ok();
    scratch
        .kubectl_as(
            "hello",
            &["wait", "pod/busy", "--for=condition=Ready", "--timeout=60s"],
        )
        .ok();

    let runs = Instant::now();
    let top = eventually("figures of the Pod", || {
        let top = scratch.kubectl_as("hello", &["top", "pod", "busy", "--no-headers"]);
        if top.code == 0 {
            Ok(top.stdout)
        } else {
            Err(top.stderr)
        }
    });
    assert!(runs.elapsed() < Duration::from_secs(10), "{:?}", runs.elapsed());
    assert!(top.starts_with("busy"), "{top}");

    // A window later its use is what it is.
    let figures = eventually("a third of a CPU and 64 MiB", || {
        let top = scratch.kubectl_as(
            "hello",
            &["top", "pods", "-l", "app=busy", "--containers", "--no-headers"],
        );
        let rows = rows(&top.ok());
        let cpu = number(&rows[0][2], "m");
        let memory = number(&rows[0][3], "Mi");
        (cpu > 100.0 && memory > 64.0)
            .then_some((cpu, memory))
            .ok_or(format!("{rows:?}"))
    });
    assert!(figures.0 < 900.0, "{figures:?}");
    let told = cadvisor(&scratch, "container_memory_working_set_bytes");
    assert!(
        (told / f64::from(1 << 20) - figures.1).abs() < 16.0,
        "{told} {figures:?}"
    );
    match memory_group(&scratch) {
        Some(group) => {
            let own = working_set(&group);
            assert!((own - told).abs() < f64::from(16 << 20), "{own} {told}");
        }
        None => println!("skipped: the container has no cgroup of memory"),
    }
    let before = (
        Instant::now(),
        cadvisor(&scratch, "container_cpu_usage_seconds_total"),
    );
    let used = eventually("another two seconds of CPU", || {
        let used = cadvisor(&scratch, "container_cpu_usage_seconds_total") - before.1;
        (used > 2.0).then_some(used).ok_or(format!("{used}"))
    });
    let cpus = used / before.0.elapsed().as_secs_f64();
    assert!(
        (cpus * 1000.0 - figures.0).abs() < 250.0,
        "top says {} thousandths of a CPU, the node {cpus} CPUs",
        figures.0
    );

    nodes_and_rights(&scratch);
}

fn nodes_and_rights(scratch: &Scratch) {
    // A node has no start from which it could be measured, so its first figures come after two looks.
    let nodes = eventually("figures of the node", || {
        let top = scratch.kubectl(&["top", "nodes", "--no-headers"]);
        (top.code == 0)
            .then(|| rows(&top.stdout))
            .ok_or_else(|| top.stderr.clone())
    });
    assert_eq!(nodes[0][0], "localhost");
    assert!(
        number(&nodes[0][1], "m") > 0.0 && number(&nodes[0][3], "Mi") > 64.0,
        "{nodes:?}"
    );
    let all = scratch.kubectl(&["top", "pods", "-A"]).ok();
    assert!(all.contains("tool-hello"), "{all}");

    let refused = scratch.kubectl_as("clock", &["top", "pods", "-n", "tool-hello"]);
    assert!(
        refused.code != 0 && refused.stderr.contains("Forbidden"),
        "{refused:?}"
    );
    let refused = scratch.kubectl_as("hello", &["top", "nodes"]);
    assert!(
        refused.code != 0 && refused.stderr.contains("Forbidden"),
        "{refused:?}"
    );

    let services = scratch.kubectl(&["get", "apiservices"]).ok();
    assert!(
        services.contains("toolforge-system/metrics") && services.contains("True"),
        "{services}"
    );
    let list = scratch.kubectl(&[
        "get",
        "--raw",
        "/apis/metrics.k8s.io/v1beta1/namespaces/tool-hello/pods",
    ]);
    let list: Value = serde_json::from_str(&list.ok()).unwrap();
    assert_eq!(list["kind"], "PodMetricsList");
    assert_eq!(list["items"][0]["metadata"]["labels"]["app"], "busy");
    let explained = scratch.kubectl(&["explain", "podmetrics.containers"]).ok();
    assert!(explained.contains("usage"), "{explained}");
}
