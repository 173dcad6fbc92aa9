//! What Pods that ask for the tool's environment get: variables, mounts, and machines that have the mounts.
//!
//! In all containers: the tool's commands must find the same in each of them, also in one that prepares the others and
//! in one that looks for their faults. Nothing is overridden, and doing it twice changes nothing.

use k8s_openapi::api::core::v1::{Container, EnvVar, EphemeralContainer, VolumeMount};
use serde::Serialize;
use toolforge_model::ToolAccount;

use super::{Mount, VolumesPolicy, asks_for_environment};
use crate::{Changes, Workload};

/// The changes that give a Pod its tool's environment; none for a Pod that does not ask for it.
///
/// `old` is the Pod as it was, when containers for debugging are added to it: nothing but those may change any more.
pub fn mutate_volumes(
    policy: &VolumesPolicy,
    account: &ToolAccount,
    pod: &Workload,
    old: Option<&Workload>,
) -> Changes {
    let mut changes = Changes::default();
    if !pod.is_pod() || !asks_for_environment(pod) {
        return changes;
    }
    let spec = pod.spec();
    let Some(old) = old else {
        give_volumes(policy, pod, &mut changes);
        give_node_selector(policy, pod, &mut changes);
        let mounts: Vec<&Mount> = policy.mounts.iter().collect();
        for (i, container) in spec.init_containers.iter().flatten().enumerate() {
            Given::of_container(container).give(("initContainers", i), account, &mounts, &mut changes);
        }
        for (i, container) in spec.containers.iter().enumerate() {
            Given::of_container(container).give(("containers", i), account, &mounts, &mut changes);
        }
        return changes;
    };
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    let there = old.spec().ephemeral_containers.as_deref().unwrap_or_default();
    // Only what the Pod has can be mounted; it may be older than the configuration.
    let mounts = policy.mounts.iter();
    let mounts: Vec<&Mount> = mounts
        .filter(|mount| volumes.iter().any(|volume| volume.name == mount.name))
        .collect();
    for (i, container) in spec.ephemeral_containers.iter().flatten().enumerate() {
        if there.iter().all(|there| there.name != container.name) {
            Given::of_ephemeral(container).give(("ephemeralContainers", i), account, &mounts, &mut changes);
        }
    }
    changes
}

#[derive(Serialize)]
struct NewVariable<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewMount<'a> {
    name: &'a str,
    mount_path: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewVolume<'a> {
    name: &'a str,
    host_path: NewHostPath<'a>,
}

#[derive(Serialize)]
struct NewHostPath<'a> {
    path: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
}

/// What a container has of what it may be given.
struct Given<'a> {
    env: Option<&'a [EnvVar]>,
    mounts: Option<&'a [VolumeMount]>,
    working_dir: bool,
}

impl<'a> Given<'a> {
    fn of_container(container: &'a Container) -> Self {
        Self {
            env: container.env.as_deref(),
            mounts: container.volume_mounts.as_deref(),
            working_dir: container.working_dir.is_some(),
        }
    }

    fn of_ephemeral(container: &'a EphemeralContainer) -> Self {
        Self {
            env: container.env.as_deref(),
            mounts: container.volume_mounts.as_deref(),
            working_dir: container.working_dir.is_some(),
        }
    }

    fn give(
        &self,
        (list, index): (&str, usize),
        account: &ToolAccount,
        mounts: &[&Mount],
        changes: &mut Changes,
    ) {
        let index = index.to_string();
        self.give_variables([list, &index], account, changes);
        let missing = mounts.iter().filter(|mount| !self.has(mount));
        let missing: Vec<NewMount<'_>> = missing
            .map(|mount| NewMount {
                name: &mount.name,
                mount_path: &mount.path,
                read_only: mount.read_only,
            })
            .collect();
        let place = ["spec", list, &index, "volumeMounts"];
        changes.append(&place, self.mounts.is_some(), &missing);
    }

    /// `HOME` and `TOOL_DATA_DIR`, before the container's own variables, so that those can refer to them.
    fn give_variables(&self, [list, index]: [&str; 2], account: &ToolAccount, changes: &mut Changes) {
        let named = |name: &str| {
            self.env
                .into_iter()
                .flatten()
                .any(|variable| variable.name == name)
        };
        let without_home = named("NO_HOME");
        let missing: Vec<NewVariable<'_>> = ["HOME", "TOOL_DATA_DIR"]
            .into_iter()
            .filter(|name| !(named(name) || without_home && *name == "HOME"))
            .map(|name| NewVariable {
                name,
                value: &account.home,
            })
            .collect();
        if self.env.is_none() {
            changes.append(&["spec", list, index, "env"], false, &missing);
        } else {
            for variable in missing.iter().rev() {
                changes.add(&["spec", list, index, "env", "0"], variable);
            }
        }
        if without_home && self.working_dir {
            changes.remove(&["spec", list, index, "workingDir"]);
        }
    }

    /// Whether a container has the volume, or something else in its place: it keeps what it has.
    fn has(&self, mount: &Mount) -> bool {
        self.mounts
            .into_iter()
            .flatten()
            .any(|place| place.name == mount.name || place.mount_path.trim_end_matches('/') == mount.path)
    }
}

fn give_volumes(policy: &VolumesPolicy, pod: &Workload, changes: &mut Changes) {
    let volumes = pod.spec().volumes.as_deref();
    let there = |name: &str| volumes.into_iter().flatten().any(|volume| volume.name == name);
    let missing = policy.mounts.iter().filter(|mount| !there(&mount.name));
    let missing: Vec<NewVolume<'_>> = missing
        .map(|mount| NewVolume {
            name: &mount.name,
            host_path: NewHostPath {
                path: &mount.path,
                kind: &mount.kind,
            },
        })
        .collect();
    changes.append(&["spec", "volumes"], volumes.is_some(), &missing);
}

fn give_node_selector(policy: &VolumesPolicy, pod: &Workload, changes: &mut Changes) {
    let Some(selector) = &pod.spec().node_selector else {
        if !policy.node_selector.is_empty() {
            changes.add(&["spec", "nodeSelector"], &policy.node_selector);
        }
        return;
    };
    for (key, value) in &policy.node_selector {
        if !selector.contains_key(key) {
            changes.add(&["spec", "nodeSelector", key], value);
        }
    }
}
