//! What Pods that ask for the tool's environment get: variables, mounts, and machines that have the mounts.
//!
//! In all containers: the tool's commands must find the same in each of them, also in one that prepares the others and
//! in one that looks for their faults. Nothing is overridden, and doing it twice changes nothing.

use json_patch::PatchOperation;
use k8s_openapi::api::core::v1::{Container, EnvVar, EphemeralContainer, VolumeMount};
use serde_json::json;
use toolforge_model::ToolAccount;

use super::{Mount, VolumesPolicy, asks_for_environment};
use crate::Workload;
use crate::changes::Changes;

/// The changes that give a Pod its tool's environment, as a JSON patch; none for a Pod that does not ask for it.
///
/// `old` is the Pod as it was, when containers for debugging are added to it: nothing but those may change any more.
pub fn mutate_volumes(
    policy: &VolumesPolicy,
    account: &ToolAccount,
    pod: &Workload,
    old: Option<&Workload>,
) -> Vec<PatchOperation> {
    let mut changes = Changes::default();
    if !pod.is_pod() || !asks_for_environment(pod) {
        return changes.into_patch();
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
        return changes.into_patch();
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
    changes.into_patch()
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
        let missing = mounts.iter().filter(|mount| !self.has(mount)).map(|mount| {
            let mut place = json!({"name": mount.name, "mountPath": mount.path});
            if mount.read_only {
                place["readOnly"] = json!(true);
            }
            place
        });
        changes.append(
            &["spec", list, &index, "volumeMounts"],
            self.mounts.is_some(),
            missing.collect(),
        );
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
        let missing = ["HOME", "TOOL_DATA_DIR"]
            .into_iter()
            .filter(|name| !(named(name) || without_home && *name == "HOME"))
            .map(|name| json!({"name": name, "value": account.home}));
        if self.env.is_none() {
            changes.append(&["spec", list, index, "env"], false, missing.collect());
        } else {
            for variable in missing.rev() {
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
    let missing = policy
        .mounts
        .iter()
        .filter(|mount| !there(&mount.name))
        .map(|mount| {
            let source = json!({"path": mount.path, "type": mount.kind});
            json!({"name": mount.name, "hostPath": source})
        });
    changes.append(&["spec", "volumes"], volumes.is_some(), missing.collect());
}

fn give_node_selector(policy: &VolumesPolicy, pod: &Workload, changes: &mut Changes) {
    let Some(selector) = &pod.spec().node_selector else {
        if !policy.node_selector.is_empty() {
            changes.add(&["spec", "nodeSelector"], json!(policy.node_selector));
        }
        return;
    };
    for (key, value) in &policy.node_selector {
        if !selector.contains_key(key) {
            changes.add(&["spec", "nodeSelector", key], json!(value));
        }
    }
}
