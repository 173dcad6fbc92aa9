//! What the Node object says of this machine, and its writing.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What the node says that it is.
const KUBELET_VERSION: &str = "v1.37.0-toolforge";
/// Most Pods of a node: many tools are small, and an address each is there for 65,000.
const PODS: u32 = 1000;
/// How often the status is written when nothing changes; kubelet's interval.
const HEARTBEAT: Duration = Duration::from_mins(5);
/// The pause after a write that failed.
const RETRY: Duration = Duration::from_secs(1);

/// What this machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cpus: usize,
    pub(crate) memory_bytes: u64,
    os_image: String,
    kernel: String,
    id: String,
    boot_id: String,
}

impl Machine {
    /// Looks at the machine. What it does not tell stays empty.
    pub(crate) fn detect() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_bytes: memory_bytes(&read("/proc/meminfo")),
            os_image: os_image(&read("/etc/os-release")),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            id: read("/etc/machine-id").trim().to_owned(),
            boot_id: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
        }
    }

    /// CPU in thousandths and memory in bytes.
    pub(crate) fn amounts(&self) -> (i128, i128) {
        let cpus = i128::try_from(self.cpus).unwrap_or(1);
        (cpus * 1000, i128::from(self.memory_bytes))
    }
}

/// `MemTotal` of `/proc/meminfo`.
fn memory_bytes(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or_default().saturating_mul(1024)
}

/// `PRETTY_NAME` of os-release(5).
fn os_image(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    line.map_or_else(
        || "Linux".to_owned(),
        |value| value.trim().trim_matches(['"', '\'']).to_owned(),
    )
}

/// The machine's name for its processor, in the words of Go, which Kubernetes' labels use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn labels(name: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("kubernetes.io/hostname", name.to_owned()),
        ("kubernetes.io/os", "linux".to_owned()),
        ("kubernetes.io/arch", architecture().to_owned()),
    ])
}

fn object(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels(name)}})
}

/// The status at this moment; `since` is when this life of the node began.
fn status(
    name: &str,
    machine: &Machine,
    runtime: &str,
    port: u16,
    since: Timestamp,
    now: Timestamp,
) -> Value {
    let (since, now) = (seconds(since), seconds(now));
    let condition = |kind: &str, holds: bool, reason: &str, message: &str| {
        let status = if holds { "True" } else { "False" };
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": since})
    };
    let amounts = json!({"cpu": machine.cpus.to_string(), "memory": format!("{}Ki", machine.memory_bytes / 1024),
        "pods": PODS.to_string()});
    json!({
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [
            {"type": "InternalIP", "address": "127.0.0.1"},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "architecture": architecture(),
            "bootID": machine.boot_id,
            "containerRuntimeVersion": runtime,
            "kernelVersion": machine.kernel,
            "kubeProxyVersion": "",
            "kubeletVersion": KUBELET_VERSION,
            "machineID": machine.id,
            "operatingSystem": "linux",
            "osImage": machine.os_image,
            "systemUUID": "",
        },
        "conditions": [
            condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", true, "KubeletReady", "kubelet is posting ready status"),
        ],
    })
}

/// A time as objects have it: whole seconds.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Makes sure that the Node object is there and says what is true, until `shutdown`.
pub(crate) async fn keep_registered(
    client: Client,
    name: &str,
    machine: &Machine,
    runtime: &str,
    port: u16,
    shutdown: CancellationToken,
) {
    let nodes: Api<Node> = Api::all(client);
    let since = Timestamp::now();
    let mut complained = false;
    while !shutdown.is_cancelled() {
        let status = status(name, machine, runtime, port, since, Timestamp::now());
        let pause = match write(&nodes, name, &status).await {
            Ok(()) => {
                complained = false;
                HEARTBEAT
            }
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%error, "the Node object cannot be written, trying again");
                }
                RETRY
            }
        };
        shutdown.run_until_cancelled(sleep(pause)).await;
    }
}

async fn write(nodes: &Api<Node>, name: &str, status: &Value) -> Result<(), kube::Error> {
    if nodes.get_opt(name).await?.is_none() {
        let node = serde_json::from_value(object(name)).map_err(kube::Error::SerdeError)?;
        match nodes.create(&PostParams::default(), &node).await {
            Err(kube::Error::Api(refusal)) if refusal.code == 409 => {}
            created => drop(created?),
        }
    } else {
        let labels = json!({"metadata": {"labels": labels(name)}});
        nodes
            .patch(name, &PatchParams::default(), &Patch::Merge(&labels))
            .await?;
    }
    let patch = json!({"status": status});
    nodes
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_read_from_its_own_files() {
        assert_eq!(memory_bytes("MemTotal:       2048 kB\nMemFree: 1 kB\n"), 2 << 20);
        assert_eq!(memory_bytes("nonsense"), 0);
        assert_eq!(
            os_image("NAME=Debian\nPRETTY_NAME=\"Debian GNU/Linux 13\"\n"),
            "Debian GNU/Linux 13"
        );
        assert_eq!(os_image(""), "Linux");
    }

    #[test]
    fn a_node_is_ready_and_says_where_its_logs_are() {
        let now = "2026-01-02T03:04:05.6Z".parse().expect("time");
        let status = status("one", &Machine::detect(), "process://1", 10250, now, now);
        let node: Node = serde_json::from_value(json!({"status": status})).expect("node");
        let status = node.status.expect("status");
        let ready = status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "Ready")
            .expect("ready");
        assert_eq!(ready.status, "True");
        let endpoint = status
            .daemon_endpoints
            .and_then(|endpoints| endpoints.kubelet_endpoint)
            .expect("endpoint");
        assert_eq!(endpoint.port, 10250);
        assert_eq!(
            status.node_info.expect("info").container_runtime_version,
            "process://1"
        );
    }
}
