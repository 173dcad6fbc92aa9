//! The table of Pods: how many containers are ready, and in one word how the Pod is.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::since;
use super::text::{NONE, or_none};
use super::{AGE, Column, NAME, age, name};
use crate::kind::Kind;
use crate::value::{Read as _, list_at, text_at};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    Column::text("Ready", "Ready containers of all containers."),
    Column::text("Status", "How the Pod is, in one word."),
    Column::text("Restarts", "How often containers were restarted, and when last."),
    AGE,
    Column::text("IP", "Address of the Pod.").wide(),
    Column::text("Node", "Node that runs the Pod.").wide(),
    Column::text("Nominated Node", "Node that is being made free for the Pod.").wide(),
    Column::text(
        "Readiness Gates",
        "Conditions that have to be true besides the containers' readiness.",
    )
    .wide(),
];

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let summary = summarise(pod);
    let restarts = if summary.restarts > 0 && !summary.last_restart.is_empty() {
        format!("{} ({} ago)", summary.restarts, since(&summary.last_restart, now))
    } else {
        summary.restarts.to_string()
    };
    let address = list_at(pod, &["status", "podIPs"])
        .first()
        .map_or("", |address| address.text("ip"));
    let address = if address.is_empty() {
        text_at(pod, &["status", "podIP"])
    } else {
        address
    };
    vec![
        name(pod),
        format!("{}/{}", summary.ready, summary.total).into(),
        summary.reason.into(),
        restarts.into(),
        age(pod, now),
        or_none(address),
        or_none(text_at(pod, &["spec", "nodeName"])),
        or_none(text_at(pod, &["status", "nominatedNodeName"])),
        readiness_gates(pod),
    ]
}

/// The row's condition that lets clients grey out what is over.
pub(super) fn completed(kind: &Kind, pod: &Value) -> Option<Value> {
    if kind.key() != ("", "Pod") {
        return None;
    }
    let (reason, message) = match text_at(pod, &["status", "phase"]) {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!({"type": "Completed", "status": "True", "reason": reason, "message": message}))
}

struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: String,
}

impl Summary {
    fn count(&mut self, status: &Value) {
        self.restarts += status.int("restartCount").unwrap_or(0);
        let finished = text_at(status, &["lastState", "terminated", "finishedAt"]);
        // RFC 3339 in UTC sorts as text.
        if finished > self.last_restart.as_str() {
            finished.clone_into(&mut self.last_restart);
        }
    }
}

fn summarise(pod: &Value) -> Summary {
    let init_containers = list_at(pod, &["spec", "initContainers"]);
    let total = list_at(pod, &["spec", "containers"]).len()
        + init_containers
            .iter()
            .filter(|container| is_sidecar(container))
            .count();
    let mut summary = Summary {
        reason: phase(pod),
        ready: 0,
        total,
        restarts: 0,
        last_restart: String::new(),
    };
    let sidecars = summarise_initialisation(pod, init_containers, &mut summary);
    let initialising = sidecars.is_none();
    if !initialising || is_true(pod, "Initialized") {
        let sidecars = sidecars.unwrap_or_else(|| sidecar_restarts(pod, init_containers));
        (summary.restarts, summary.last_restart) = sidecars;
        summarise_containers(pod, &mut summary);
    }
    if pod.at(&["metadata", "deletionTimestamp"]).is_some() {
        if text_at(pod, &["status", "reason"]) == "NodeLost" {
            "Unknown".clone_into(&mut summary.reason);
        } else if !matches!(text_at(pod, &["status", "phase"]), "Succeeded" | "Failed") {
            "Terminating".clone_into(&mut summary.reason);
        }
    }
    summary
}

fn phase(pod: &Value) -> String {
    let gated = list_at(pod, &["status", "conditions"]).iter().any(|condition| {
        condition.text("type") == "PodScheduled" && condition.text("reason") == "SchedulingGated"
    });
    let reason = text_at(pod, &["status", "reason"]);
    match (gated, reason) {
        (true, _) => "SchedulingGated".to_owned(),
        (false, "") => text_at(pod, &["status", "phase"]).to_owned(),
        (false, reason) => reason.to_owned(),
    }
}

/// Goes through the init containers; says the restarts of sidecars, or nothing while the Pod is initialising.
fn summarise_initialisation(pod: &Value, init: &[Value], summary: &mut Summary) -> Option<(i64, String)> {
    for (index, status) in list_at(pod, &["status", "initContainerStatuses"])
        .iter()
        .enumerate()
    {
        summary.count(status);
        let terminated = status.at(&["state", "terminated"]);
        if terminated.is_some_and(|terminated| terminated.int("exitCode").unwrap_or(0) == 0) {
            continue;
        }
        if is_sidecar_name(init, status.text("name")) && status.flag("started") {
            summary.ready += usize::from(status.flag("ready"));
            continue;
        }
        let waiting = text_at(status, &["state", "waiting", "reason"]);
        summary.reason = match terminated {
            Some(terminated) => format!("Init:{}", end_of(terminated)),
            None if !waiting.is_empty() && waiting != "PodInitializing" => format!("Init:{waiting}"),
            None => format!("Init:{index}/{}", init.len()),
        };
        return None;
    }
    Some(sidecar_restarts(pod, init))
}

fn sidecar_restarts(pod: &Value, init: &[Value]) -> (i64, String) {
    let mut only = Summary {
        reason: String::new(),
        ready: 0,
        total: 0,
        restarts: 0,
        last_restart: String::new(),
    };
    for status in list_at(pod, &["status", "initContainerStatuses"]) {
        if is_sidecar_name(init, status.text("name")) {
            only.count(status);
        }
    }
    (only.restarts, only.last_restart)
}

fn summarise_containers(pod: &Value, summary: &mut Summary) {
    let mut running = false;
    for status in list_at(pod, &["status", "containerStatuses"]).iter().rev() {
        summary.count(status);
        let waiting = text_at(status, &["state", "waiting", "reason"]);
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if let Some(terminated) = status.at(&["state", "terminated"]) {
            summary.reason = end_of(terminated);
        } else if status.flag("ready") && status.at(&["state", "running"]).is_some() {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" && running {
        let word = if is_true(pod, "Ready") {
            "Running"
        } else {
            "NotReady"
        };
        word.clone_into(&mut summary.reason);
    }
}

fn end_of(terminated: &Value) -> String {
    match (terminated.text("reason"), terminated.int("signal").unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", terminated.int("exitCode").unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn is_sidecar(container: &Value) -> bool {
    container.text("restartPolicy") == "Always"
}

fn is_sidecar_name(init: &[Value], name: &str) -> bool {
    init.iter()
        .any(|container| container.text("name") == name && is_sidecar(container))
}

fn is_true(pod: &Value, condition: &str) -> bool {
    list_at(pod, &["status", "conditions"])
        .iter()
        .any(|found| found.text("type") == condition && found.text("status") == "True")
}

fn readiness_gates(pod: &Value) -> Value {
    let gates = list_at(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return NONE.into();
    }
    let open = gates
        .iter()
        .filter(|gate| is_true(pod, gate.text("conditionType")))
        .count();
    format!("{open}/{}", gates.len()).into()
}
