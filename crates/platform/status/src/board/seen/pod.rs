//! Pods and their containers. The values of environment variables are not kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState as ApiState, ContainerStatus, Pod, PodSpec, ResourceRequirements, Volume,
};
use serde::Serialize;

use super::{ConditionSeen, Meta, Texts};

/// One Pod. Its lists are slices: a list that is made of another one keeps its room, which is that of what the API tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodSeen {
    #[serde(flatten)]
    pub(crate) meta: Meta,
    pub(crate) phase: String,
    /// All its containers answer.
    pub(crate) ready: bool,
    pub(crate) restarts: i32,
    pub(crate) node: String,
    pub(crate) ip: String,
    /// Why it has not been given a node, or was ended.
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) containers: Box<[ContainerSeen]>,
    pub(crate) conditions: Box<[ConditionSeen]>,
    /// Name and kind of source; of Secrets their names only.
    pub(crate) volumes: Box<[(String, String)]>,
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Role {
    Init,
    Main,
    Ephemeral,
}

/// One container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerSeen {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) image: String,
    pub(crate) command: String,
    pub(crate) ready: bool,
    pub(crate) restarts: i32,
    pub(crate) state: ContainerState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_state: Option<ContainerState>,
    pub(crate) requests: Texts,
    pub(crate) limits: Texts,
    /// Names of its environment variables; their values are nobody's business.
    pub(crate) environment: Box<[String]>,
    pub(crate) mounts: Box<[String]>,
}

/// What a container does, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum ContainerState {
    Running {
        since: Option<Timestamp>,
    },
    Waiting {
        reason: String,
        message: String,
    },
    Ended {
        code: i32,
        reason: String,
        at: Option<Timestamp>,
    },
}

impl From<Pod> for PodSeen {
    fn from(pod: Pod) -> Self {
        let meta = Meta::from(pod.metadata);
        let spec = pod.spec.unwrap_or_default();
        let status = pod.status.unwrap_or_default();
        let mut told: BTreeMap<String, ContainerStatus> = [
            status.init_container_statuses,
            status.container_statuses,
            status.ephemeral_container_statuses,
        ]
        .into_iter()
        .flatten()
        .flatten()
        .map(|status| (status.name.clone(), status))
        .collect();
        let conditions: Box<[ConditionSeen]> = status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .map(|said| {
                ConditionSeen::of(
                    said.type_,
                    said.status,
                    said.last_transition_time,
                    said.reason,
                    said.message,
                )
            })
            .collect();
        let node = spec.node_name.clone().unwrap_or_default();
        let volumes = spec.volumes.clone().unwrap_or_default();
        let containers = containers(spec, &mut told);
        Self {
            ready: conditions
                .iter()
                .any(|condition| condition.kind == "Ready" && condition.status == "True"),
            restarts: containers.iter().map(|container| container.restarts).sum(),
            phase: status.phase.unwrap_or_default(),
            node,
            ip: status.pod_ip.unwrap_or_default(),
            reason: status.reason.unwrap_or_default(),
            message: status.message.unwrap_or_default(),
            volumes: volumes.into_iter().map(source).collect(),
            containers,
            conditions,
            meta,
        }
    }
}

fn containers(spec: PodSpec, told: &mut BTreeMap<String, ContainerStatus>) -> Box<[ContainerSeen]> {
    let init = spec.init_containers.unwrap_or_default().into_iter();
    let ephemeral = spec
        .ephemeral_containers
        .unwrap_or_default()
        .into_iter()
        .map(|container| Container {
            name: container.name,
            image: container.image,
            command: container.command,
            args: container.args,
            env: container.env,
            volume_mounts: container.volume_mounts,
            ..Container::default()
        });
    init.map(|container| (container, Role::Init))
        .chain(
            spec.containers
                .into_iter()
                .map(|container| (container, Role::Main)),
        )
        .chain(ephemeral.map(|container| (container, Role::Ephemeral)))
        .map(|(container, role)| {
            let status = told.remove(&container.name);
            seen(container, role, status)
        })
        .collect()
}

fn seen(container: Container, role: Role, status: Option<ContainerStatus>) -> ContainerSeen {
    let resources = container.resources.unwrap_or_default();
    let command = container.command.into_iter().chain(container.args).flatten();
    let variables = container
        .env
        .unwrap_or_default()
        .into_iter()
        .map(|variable| variable.name);
    let from = container
        .env_from
        .unwrap_or_default()
        .into_iter()
        .filter_map(|source| {
            let secret = source
                .secret_ref
                .map(|secret| format!("all of Secret {}", secret.name));
            secret.or(source
                .config_map_ref
                .map(|map| format!("all of ConfigMap {}", map.name)))
        });
    let mounts = container
        .volume_mounts
        .unwrap_or_default()
        .into_iter()
        .map(|mount| {
            let how = if mount.read_only == Some(true) {
                ", read-only"
            } else {
                ""
            };
            format!("{} from {}{how}", mount.mount_path, mount.name)
        });
    let (requests, limits) = amounts(resources);
    ContainerSeen {
        name: container.name,
        role,
        image: container.image.unwrap_or_default(),
        command: command.collect::<Vec<_>>().join(" "),
        ready: status.as_ref().is_some_and(|status| status.ready),
        restarts: status.as_ref().map_or(0, |status| status.restart_count),
        last_state: status
            .as_ref()
            .and_then(|status| state(status.last_state.as_ref()?)),
        state: status
            .and_then(|status| state(&status.state?))
            .unwrap_or(ContainerState::Waiting {
                reason: String::new(),
                message: String::new(),
            }),
        requests,
        limits,
        environment: variables.chain(from).collect(),
        mounts: mounts.collect(),
    }
}

fn amounts(resources: ResourceRequirements) -> (Texts, Texts) {
    let plain = |all: Option<BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>| {
        all.into_iter()
            .flatten()
            .map(|(name, quantity)| (name, quantity.0))
            .collect()
    };
    (plain(resources.requests), plain(resources.limits))
}

fn state(state: &ApiState) -> Option<ContainerState> {
    if let Some(running) = &state.running {
        let since = running.started_at.as_ref().map(|time| time.0);
        return Some(ContainerState::Running { since });
    }
    if let Some(ended) = &state.terminated {
        return Some(ContainerState::Ended {
            code: ended.exit_code,
            reason: ended.reason.clone().unwrap_or_default(),
            at: ended.finished_at.as_ref().map(|time| time.0),
        });
    }
    state.waiting.as_ref().map(|waiting| ContainerState::Waiting {
        reason: waiting.reason.clone().unwrap_or_default(),
        message: waiting.message.clone().unwrap_or_default(),
    })
}

/// What a volume is made of.
fn source(volume: Volume) -> (String, String) {
    let source = if let Some(path) = volume.host_path {
        format!("path {} of the node", path.path)
    } else if let Some(secret) = volume.secret {
        format!("Secret {}", secret.secret_name.unwrap_or_default())
    } else if let Some(map) = volume.config_map {
        format!("ConfigMap {}", map.name)
    } else if volume.empty_dir.is_some() {
        "empty folder".to_owned()
    } else if let Some(claim) = volume.persistent_volume_claim {
        format!("claim {}", claim.claim_name)
    } else if volume.projected.is_some() {
        "projected".to_owned()
    } else if let Some(nfs) = volume.nfs {
        format!("NFS {}:{}", nfs.server, nfs.path)
    } else {
        "another kind".to_owned()
    };
    (volume.name, source)
}
