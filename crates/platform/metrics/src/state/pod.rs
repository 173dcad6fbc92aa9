//! Pods and their containers.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::lines::{Family, Lines, counter, gauge, text};
use super::table::Rendered;

const PHASES: [&str; 5] = ["Pending", "Succeeded", "Failed", "Unknown", "Running"];
const QOS_CLASSES: [&str; 3] = ["BestEffort", "Burstable", "Guaranteed"];

/// The names of the families of a kind of container.
struct Names {
    info: &'static str,
    waiting: &'static str,
    waiting_reason: &'static str,
    running: &'static str,
    started: Option<&'static str>,
    terminated: &'static str,
    terminated_reason: &'static str,
    last_reason: &'static str,
    last_exit_code: Option<&'static str>,
    last_time: Option<&'static str>,
    ready: &'static str,
    restarts: &'static str,
    requests: &'static str,
    limits: &'static str,
}

const CONTAINERS: Names = Names {
    info: "kube_pod_container_info",
    waiting: "kube_pod_container_status_waiting",
    waiting_reason: "kube_pod_container_status_waiting_reason",
    running: "kube_pod_container_status_running",
    started: Some("kube_pod_container_state_started"),
    terminated: "kube_pod_container_status_terminated",
    terminated_reason: "kube_pod_container_status_terminated_reason",
    last_reason: "kube_pod_container_status_last_terminated_reason",
    last_exit_code: Some("kube_pod_container_status_last_terminated_exitcode"),
    last_time: Some("kube_pod_container_status_last_terminated_timestamp"),
    ready: "kube_pod_container_status_ready",
    restarts: "kube_pod_container_status_restarts_total",
    requests: "kube_pod_container_resource_requests",
    limits: "kube_pod_container_resource_limits",
};

const INIT_CONTAINERS: Names = Names {
    info: "kube_pod_init_container_info",
    waiting: "kube_pod_init_container_status_waiting",
    waiting_reason: "kube_pod_init_container_status_waiting_reason",
    running: "kube_pod_init_container_status_running",
    started: None,
    terminated: "kube_pod_init_container_status_terminated",
    terminated_reason: "kube_pod_init_container_status_terminated_reason",
    last_reason: "kube_pod_init_container_status_last_terminated_reason",
    last_exit_code: None,
    last_time: None,
    ready: "kube_pod_init_container_status_ready",
    restarts: "kube_pod_init_container_status_restarts_total",
    requests: "kube_pod_init_container_resource_requests",
    limits: "kube_pod_init_container_resource_limits",
};

impl Rendered for Pod {
    const FAMILIES: &'static [Family] = &[
        gauge("kube_pod_info", "Where a Pod is, and who made it."),
        gauge("kube_pod_ips", "Each address of a Pod."),
        gauge(
            "kube_pod_start_time",
            "When the node took a Pod on, in seconds since 1970.",
        ),
        gauge(
            "kube_pod_completion_time",
            "When the last container of a Pod that is done ended, in seconds since 1970.",
        ),
        gauge("kube_pod_owner", "Each owner of a Pod."),
        gauge("kube_pod_status_phase", "Whether a Pod is in a phase."),
        gauge(
            "kube_pod_status_qos_class",
            "Whether a Pod is of a quality of service class.",
        ),
        gauge("kube_pod_status_ready", "Whether a Pod is ready to serve."),
        gauge(
            "kube_pod_status_ready_time",
            "Since when a Pod is ready, in seconds since 1970.",
        ),
        gauge(
            "kube_pod_status_initialized_time",
            "When the init containers of a Pod were done, in seconds since 1970.",
        ),
        gauge(
            "kube_pod_status_container_ready_time",
            "Since when all containers of a Pod are ready, in seconds since 1970.",
        ),
        gauge("kube_pod_status_scheduled", "Whether a Pod has a node."),
        gauge(
            "kube_pod_status_scheduled_time",
            "When a Pod got its node, in seconds since 1970.",
        ),
        gauge("kube_pod_status_unschedulable", "That no node can take a Pod."),
        gauge(
            "kube_pod_status_reason",
            "Why a Pod is as it is, where its status says so.",
        ),
        gauge("kube_pod_container_info", "The image of a container."),
        gauge("kube_pod_container_status_waiting", "Whether a container waits."),
        gauge(
            "kube_pod_container_status_waiting_reason",
            "Why a container waits.",
        ),
        gauge("kube_pod_container_status_running", "Whether a container runs."),
        gauge(
            "kube_pod_container_state_started",
            "When a container was started, in seconds since 1970.",
        ),
        gauge(
            "kube_pod_container_status_terminated",
            "Whether a container has ended.",
        ),
        gauge(
            "kube_pod_container_status_terminated_reason",
            "Why a container has ended.",
        ),
        gauge(
            "kube_pod_container_status_last_terminated_reason",
            "Why a container ended the last time.",
        ),
        gauge(
            "kube_pod_container_status_last_terminated_exitcode",
            "With which code a container ended the last time.",
        ),
        gauge(
            "kube_pod_container_status_last_terminated_timestamp",
            "When a container ended the last time, in seconds since 1970.",
        ),
        gauge("kube_pod_container_status_ready", "Whether a container is ready."),
        counter(
            "kube_pod_container_status_restarts_total",
            "How often a container was started again.",
        ),
        gauge(
            "kube_pod_container_resource_requests",
            "What a container asks for.",
        ),
        gauge(
            "kube_pod_container_resource_limits",
            "What a container may use at most.",
        ),
        gauge(
            "kube_pod_created",
            "When a Pod was created, in seconds since 1970.",
        ),
        gauge(
            "kube_pod_deletion_timestamp",
            "When a Pod that is being deleted will be gone at the latest, in seconds since 1970.",
        ),
        gauge(
            "kube_pod_restart_policy",
            "Whether containers of a Pod are started again.",
        ),
        gauge("kube_pod_init_container_info", "The image of an init container."),
        gauge(
            "kube_pod_init_container_status_waiting",
            "Whether an init container waits.",
        ),
        gauge(
            "kube_pod_init_container_status_waiting_reason",
            "Why an init container waits.",
        ),
        gauge(
            "kube_pod_init_container_status_running",
            "Whether an init container runs.",
        ),
        gauge(
            "kube_pod_init_container_status_terminated",
            "Whether an init container has ended.",
        ),
        gauge(
            "kube_pod_init_container_status_terminated_reason",
            "Why an init container has ended.",
        ),
        gauge(
            "kube_pod_init_container_status_last_terminated_reason",
            "Why an init container ended the last time.",
        ),
        gauge(
            "kube_pod_init_container_status_ready",
            "Whether an init container is done, or ready where it goes on.",
        ),
        counter(
            "kube_pod_init_container_status_restarts_total",
            "How often an init container was started again.",
        ),
        gauge(
            "kube_pod_init_container_resource_requests",
            "What an init container asks for.",
        ),
        gauge(
            "kube_pod_init_container_resource_limits",
            "What an init container may use at most.",
        ),
        gauge(
            "kube_pod_spec_volumes_persistentvolumeclaims_info",
            "Which volume of a Pod is which claim.",
        ),
        gauge(
            "kube_pod_spec_volumes_persistentvolumeclaims_readonly",
            "Whether a claim is mounted read-only.",
        ),
    ];

    fn render<'a>(&'a self, lines: &mut Lines<'a>) {
        let (meta, spec) = (&self.metadata, self.spec.clone().unwrap_or_default());
        let status = self.status.clone().unwrap_or_default();
        lines.of(&[
            ("namespace", text(meta.namespace.as_ref())),
            ("pod", text(meta.name.as_ref())),
            ("uid", text(meta.uid.as_ref())),
        ]);
        let node = text(spec.node_name.as_ref());
        let owners = meta.owner_references.as_ref();
        let maker = owners.and_then(|owners| owners.iter().find(|owner| owner.controller == Some(true)));
        let info = [
            ("host_ip", text(status.host_ip.as_ref())),
            ("pod_ip", text(status.pod_ip.as_ref())),
            ("node", node),
            ("created_by_kind", maker.map_or("", |maker| &maker.kind)),
            ("created_by_name", maker.map_or("", |maker| &maker.name)),
            ("priority_class", text(spec.priority_class_name.as_ref())),
            (
                "host_network",
                if spec.host_network == Some(true) {
                    "true"
                } else {
                    "false"
                },
            ),
        ];
        lines.put("kube_pod_info", &info, 1);
        for address in status.pod_ips.iter().flatten() {
            let family = if address.ip.contains(':') { "6" } else { "4" };
            lines.put("kube_pod_ips", &[("ip", &address.ip), ("ip_family", family)], 1);
        }
        lines.owners("kube_pod_owner", owners);
        lines.time("kube_pod_created", meta.creation_timestamp.as_ref());
        lines.time("kube_pod_deletion_timestamp", meta.deletion_timestamp.as_ref());
        let policy = spec.restart_policy.as_deref().unwrap_or("Always");
        lines.put("kube_pod_restart_policy", &[("type", policy)], 1);
        for volume in spec.volumes.iter().flatten() {
            if let Some(claim) = &volume.persistent_volume_claim {
                let labels = [
                    ("volume", volume.name.as_str()),
                    ("persistentvolumeclaim", &claim.claim_name),
                ];
                let name = "kube_pod_spec_volumes_persistentvolumeclaims_";
                lines.put(&format!("{name}info"), &labels, 1);
                let read_only = u8::from(claim.read_only == Some(true));
                lines.put(&format!("{name}readonly"), &labels, read_only);
            }
        }
        pod_status(lines, &status);
        let (first, others) = (spec.init_containers.unwrap_or_default(), &spec.containers);
        let known = status.container_statuses.unwrap_or_default();
        containers(lines, &CONTAINERS, others, &known, node);
        let known = status.init_container_statuses.unwrap_or_default();
        containers(lines, &INIT_CONTAINERS, &first, &known, node);
    }
}

fn pod_status(lines: &mut Lines<'_>, status: &PodStatus) {
    lines.time("kube_pod_start_time", status.start_time.as_ref());
    lines.maybe("kube_pod_completion_time", completion(status));
    let phase = text(status.phase.as_ref());
    if !phase.is_empty() {
        lines.one_of("kube_pod_status_phase", "phase", &PHASES, phase);
    }
    if let Some(class) = &status.qos_class {
        lines.one_of("kube_pod_status_qos_class", "qos_class", &QOS_CLASSES, class);
    }
    if let Some(reason) = &status.reason {
        lines.put("kube_pod_status_reason", &[("reason", reason)], 1);
    }
    for condition in status.conditions.iter().flatten() {
        let since = condition
            .last_transition_time
            .as_ref()
            .filter(|_| condition.status == "True");
        match condition.type_.as_str() {
            "Ready" => {
                lines.condition("kube_pod_status_ready", "condition", &[], &condition.status);
                lines.time("kube_pod_status_ready_time", since);
            }
            "PodScheduled" => {
                lines.condition("kube_pod_status_scheduled", "condition", &[], &condition.status);
                lines.time("kube_pod_status_scheduled_time", since);
                if condition.status == "False" && condition.reason.as_deref() == Some("Unschedulable") {
                    lines.put("kube_pod_status_unschedulable", &[], 1);
                }
            }
            "Initialized" => lines.time("kube_pod_status_initialized_time", since),
            "ContainersReady" => lines.time("kube_pod_status_container_ready_time", since),
            _ => {}
        }
    }
}

/// When the last container ended, where all have and none comes back.
fn completion(status: &PodStatus) -> Option<i64> {
    if !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return None;
    }
    let ends = status.container_statuses.iter().flatten();
    let ends = ends.filter_map(|container| {
        container
            .state
            .as_ref()?
            .terminated
            .as_ref()?
            .finished_at
            .as_ref()
    });
    ends.map(|Time(end)| end.as_second()).max()
}

fn containers(
    lines: &mut Lines<'_>,
    names: &Names,
    specs: &[Container],
    known: &[ContainerStatus],
    node: &str,
) {
    for spec in specs {
        let labels = [("container", spec.name.as_str()), ("node", node)];
        if let Some(resources) = &spec.resources {
            lines.amounts(names.requests, &labels, resources.requests.iter().flatten());
            lines.amounts(names.limits, &labels, resources.limits.iter().flatten());
        }
    }
    let mut seen = BTreeSet::new();
    for status in known.iter().filter(|status| seen.insert(&status.name)) {
        let spec = specs.iter().find(|spec| spec.name == status.name);
        container(lines, names, spec, status);
    }
}

fn container(lines: &mut Lines<'_>, names: &Names, spec: Option<&Container>, status: &ContainerStatus) {
    let name = ("container", status.name.as_str());
    let info = [
        name,
        ("image_spec", spec.map_or("", |spec| text(spec.image.as_ref()))),
        ("image", &status.image),
        ("image_id", &status.image_id),
        ("container_id", text(status.container_id.as_ref())),
    ];
    lines.put(names.info, &info, 1);
    let state = status.state.clone().unwrap_or_default();
    lines.put(names.waiting, &[name], u8::from(state.waiting.is_some()));
    lines.put(names.running, &[name], u8::from(state.running.is_some()));
    lines.put(names.terminated, &[name], u8::from(state.terminated.is_some()));
    lines.put(names.ready, &[name], u8::from(status.ready));
    lines.put(names.restarts, &[name], status.restart_count);
    if let Some(reason) = state.waiting.and_then(|waiting| waiting.reason) {
        lines.put(names.waiting_reason, &[name, ("reason", &reason)], 1);
    }
    if let (Some(family), Some(Time(at))) = (
        names.started,
        state.running.and_then(|running| running.started_at),
    ) {
        lines.put(family, &[name], at.as_second());
    }
    if let Some(reason) = state.terminated.and_then(|terminated| terminated.reason) {
        lines.put(names.terminated_reason, &[name, ("reason", &reason)], 1);
    }
    let Some(last) = status
        .last_state
        .as_ref()
        .and_then(|last| last.terminated.as_ref())
    else {
        return;
    };
    if let Some(reason) = &last.reason {
        lines.put(names.last_reason, &[name, ("reason", reason)], 1);
    }
    if let Some(family) = names.last_exit_code {
        lines.put(family, &[name], last.exit_code);
    }
    if let (Some(family), Some(Time(at))) = (names.last_time, &last.finished_at) {
        lines.put(family, &[name], at.as_second());
    }
}
