//! Debian's Prometheus at a running platform, with what `toolforge prometheus` writes: it reaches everything, understands
//! every rule and every query of the dashboards, and says so when something is wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "prometheus/dashboards.rs"]
mod dashboards;
#[path = "prometheus/rules.rs"]
mod rules;
#[path = "prometheus/server.rs"]
mod server;
#[path = "prometheus/visits.rs"]
mod visits;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::StatusCode;
use serde_json::Value;
use server::Server;
use toolforge_testkit::{Outcome, Scratch, eventually};
use visits::Visits;

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// What tells figures on one machine.
const JOBS: [&str; 11] = [
    "accounts",
    "admission",
    "apiserver",
    "cadvisor",
    "controllers",
    "directory",
    "fourohfour",
    "gateway",
    "k8s-status",
    "metrics",
    "nodes",
];
/// Series that rules name and a healthy platform of a minute's age does not tell.
const ABSENT_WHILE_WELL: [&str; 3] = [
    // Told from the first one on.
    "toolforge_admission_unreadable_requests_total",
    // Told where webservices can register (`--register-port`).
    "toolforge_gateway_registration_events_total",
    // Of `toolforge balance`, which one machine has no need of.
    "toolforge_balancer_target_up",
];
/// Records that have no value as long as there is nothing of their kind.
const EMPTY_WHILE_WELL: [&str; 0] = [];

/// A Pod whose program ends at once.
const BROKEN: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: broken
spec:
  containers:
    - name: main
      image: docker-registry.tools.wmflabs.org/toolforge-bookworm-sssd
      command: [/bin/false]
";

#[test]
fn prometheus_reaches_everything_understands_every_rule_and_raises_alerts() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    let tool = |words: &[&str]| scratch.as_tool("hello", words).ok();
    tool(&["webservice", "static", "start"]);
    let visitor = scratch.visitor(&["hello", "nobody"]);
    for (host, status) in [("hello", StatusCode::OK), ("nobody", StatusCode::NOT_FOUND)] {
        let answer = visitor.get(&scratch.url(host)).unwrap();
        assert_eq!(answer.status, status, "{host}");
    }
    let _visits = Visits::begin(visitor, vec![scratch.url("hello"), scratch.url("nobody")]);

    let folder = configuration(&scratch);
    it_may_read_figures_and_nothing_else(&scratch, &folder);
    server::without_waiting(&folder);
    let prometheus = Server::start(&folder, scratch.visitor(&[]));
    every_target_is_up(&prometheus);
    every_rule_evaluates(&prometheus);
    every_record_has_a_value(&prometheus);
    eventually("no alert to fire", || {
        let firing = firing(&prometheus)?;
        let none = firing.is_empty();
        none.then_some(()).ok_or_else(|| Value::from(firing).to_string())
    });

    let file = scratch.path().join("broken.yaml");
    fs::write(&file, BROKEN).unwrap();
    scratch
        .kubectl_as("hello", &["apply", "-f", file.to_str().unwrap()])
        .ok();
    fires(&prometheus, "ToolforgeContainerCrashLooping");
    every_series_of_the_rules_is_told(&prometheus);
    every_dashboard_has_its_figures(&prometheus);
    assert_eq!(platform.stop(), 0);
    fires(&prometheus, "ToolforgeTargetDown");
}

/// What the operator does: one command, whose files Debian's tool finds nothing wrong with.
fn configuration(scratch: &Scratch) -> PathBuf {
    let folder = scratch.path().join("watch");
    let path = folder.to_str().unwrap();
    let told = Outcome::of(&mut scratch.command(&["prometheus", "--into", path, "--interval-seconds", "1"]));
    let told = told.ok();
    assert!(told.contains("prometheus --config.file="), "{told}");
    let mode = fs::metadata(folder.join("client.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    promtool(&["check", "config", "prometheus.yml"], &folder);
    folder
}

fn it_may_read_figures_and_nothing_else(scratch: &Scratch, folder: &Path) {
    let ask = |words: &[&str]| {
        let mut kubectl = Command::new("kubectl");
        kubectl
            .args(["--kubeconfig", "/dev/null", "--server"])
            .arg(format!("https://127.0.0.1:{}", scratch.port("--api-port")))
            .args([
                "--certificate-authority",
                "ca.crt",
                "--client-certificate",
                "client.crt",
            ])
            .args(["--client-key", "client.key"])
            .args(words)
            .env("KUBECACHEDIR", scratch.path().join("prometheus-cache"))
            .current_dir(folder);
        Outcome::of(&mut kubectl)
    };
    let figures = ask(&["get", "--raw", "/metrics"]).ok();
    assert!(figures.contains("apiserver_request_total"), "{figures}");
    // By the first one one would get into containers.
    for words in [
        ["get", "--raw", "/api/v1/nodes/localhost/proxy/metrics"].as_slice(),
        &["get", "--raw", "/api/v1/namespaces/tool-hello/pods"],
        &["get", "secrets", "-n", "toolforge-system"],
        &["delete", "pod", "any", "-n", "toolforge-system"],
    ] {
        let refused = ask(words);
        assert!(
            refused.code != 0 && refused.stderr.contains("Forbidden"),
            "{words:?}: {refused:?}"
        );
    }
}

fn promtool(arguments: &[&str], folder: &Path) {
    let outcome = Outcome::of(Command::new("promtool").args(arguments).current_dir(folder));
    assert_eq!(outcome.code, 0, "{}\n{}", outcome.stdout, outcome.stderr);
}

fn every_target_is_up(prometheus: &Server) {
    eventually("every target to be up", || {
        let targets = prometheus.ask("targets", &[("state", "active")])?;
        let targets = targets["activeTargets"].as_array().cloned().unwrap_or_default();
        let up: BTreeSet<&str> = targets
            .iter()
            .filter(|target| target["health"] == "up")
            .filter_map(|target| target["labels"]["job"].as_str())
            .collect();
        let all_up = targets.iter().all(|target| target["health"] == "up");
        (all_up && up == BTreeSet::from(JOBS))
            .then_some(())
            .ok_or_else(|| Value::from(targets).to_string())
    });
}

fn every_rule_evaluates(prometheus: &Server) {
    eventually("every rule to be evaluated", || {
        let groups = prometheus.ask("rules", &[])?;
        let groups = groups["groups"].as_array().cloned().unwrap_or_default();
        let loaded: Vec<&Value> = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .collect();
        assert_eq!(loaded.len(), rules::all().len());
        let ill: Vec<&&Value> = loaded.iter().filter(|rule| rule["health"] != "ok").collect();
        ill.is_empty().then_some(()).ok_or_else(|| format!("{ill:?}"))
    });
}

fn every_record_has_a_value(prometheus: &Server) {
    let records = rules::names("record");
    for record in records
        .iter()
        .filter(|record| !EMPTY_WHILE_WELL.contains(&record.as_str()))
    {
        eventually(&format!("a value of {record}"), || answered(prometheus, record));
    }
}

fn every_series_of_the_rules_is_told(prometheus: &Server) {
    let rules = rules::all();
    let named = rules
        .iter()
        .flat_map(|rule| rules::series(rule["expr"].as_str().unwrap()));
    let mut missing: BTreeSet<String> = named.collect();
    missing.retain(|series| !ABSENT_WHILE_WELL.contains(&series.as_str()));
    assert!(!missing.is_empty());
    eventually("every series of the rules to be told", || {
        missing.retain(|series| answered(prometheus, series).is_err());
        missing
            .is_empty()
            .then_some(())
            .ok_or_else(|| format!("nobody tells {missing:?}"))
    });
}

fn every_dashboard_has_its_figures(prometheus: &Server) {
    for query in dashboards::queries() {
        let what = format!("figures of {}: {}", query.place, query.text);
        if query.must_answer {
            eventually(&what, || answered(prometheus, &query.text));
        } else if let Err(error) = prometheus.query(&query.text) {
            panic!("{what}: {error}");
        }
    }
}

fn answered(prometheus: &Server, query: &str) -> Result<(), String> {
    let found = prometheus.query(query)?;
    (!found.is_empty())
        .then_some(())
        .ok_or_else(|| "there are none".to_owned())
}

fn fires(prometheus: &Server, alert: &str) {
    eventually(&format!("{alert} to fire"), || {
        let firing = firing(prometheus)?;
        let fires = firing.iter().any(|one| one["labels"]["alertname"] == alert);
        fires.then_some(()).ok_or_else(|| Value::from(firing).to_string())
    });
}

/// The alerts that fire.
fn firing(prometheus: &Server) -> Result<Vec<Value>, String> {
    let alerts = prometheus.ask("alerts", &[])?;
    let mut alerts = alerts["alerts"].as_array().cloned().unwrap_or_default();
    alerts.retain(|alert| alert["state"] == "firing");
    Ok(alerts)
}

#[test]
fn the_rules_say_what_they_should_to_given_figures() {
    let folder = rules::folder();
    for kind in ["rules", "tests"] {
        for entry in fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let verb = if kind == "rules" { "check" } else { "test" };
            promtool(&[verb, "rules", name], &folder.join(kind));
        }
    }
}

#[test]
fn every_alert_is_tried_and_explained() {
    let tests: String = fs::read_dir(rules::folder().join("tests"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let docs = fs::read_to_string(rules::folder().join("../../docs/alerts.md")).unwrap();
    let names = rules::names("alert");
    assert!(!names.is_empty());
    for name in &names {
        let fired = format!("alertname: {name}\n");
        assert!(tests.contains(&fired), "{name} never fires in a test");
        assert!(
            docs.contains(&format!("\n### {name}\n")),
            "{name} is not in docs/alerts.md"
        );
    }
    let headings = docs.lines().filter_map(|line| line.strip_prefix("### "));
    for heading in headings {
        assert!(
            names.contains(heading),
            "docs/alerts.md explains {heading}, which no rule has"
        );
    }
    for rule in rules::all().iter().filter(|rule| rule["alert"].is_string()) {
        let name = rule["alert"].as_str().unwrap();
        let runbook = format!("docs/alerts.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], runbook, "{name}");
        assert!(rule["annotations"]["summary"].is_string(), "{name}");
        assert!(
            matches!(rule["labels"]["severity"].as_str(), Some("critical" | "warning")),
            "{name}"
        );
    }
}

/// Debian's Prometheus has no service discovery for Kubernetes; everything else of the cluster's file it can check.
#[test]
fn the_configuration_for_a_cluster_is_one() {
    let text = fs::read_to_string(rules::folder().join("cluster.yml")).unwrap();
    let mut read: Value = serde_saphyr::from_str(&text).unwrap();
    for job in read["scrape_configs"].as_array_mut().unwrap() {
        let found = job
            .as_object_mut()
            .unwrap()
            .remove("kubernetes_sd_configs")
            .unwrap();
        let role = found[0]["role"].as_str().unwrap();
        assert!(matches!(role, "endpointslice" | "node"), "{role}");
        assert!(!job.to_string().contains("insecure_skip_verify"), "{job}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prometheus.yml"), read.to_string()).unwrap();
    promtool(
        &["check", "config", "--syntax-only", "prometheus.yml"],
        folder.path(),
    );
}
