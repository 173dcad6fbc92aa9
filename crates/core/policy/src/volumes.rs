//! The volumes guard: Pods labelled `toolforge=tool` get the tool's environment and the configured mounts, and nobody
//! mounts anything else of the machine.
//!
//! [`mutate_volumes`] gives, [`admit_volumes`] refuses. What the mounts may be at all is for the Pod guard to say, which
//! sees them as they are.

mod give;
mod mount;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Volume, VolumeMount};
use toolforge_model::labels;

pub use give::mutate_volumes;
pub use mount::{Mount, MountError};

use crate::verdict::{Law, Offences, quoted};
use crate::{Verdict, Workload, is_of_tool};

const NAMESPACE: Law = Law::fixed(
    "volumes/namespace",
    "Only tools can have tool volumes mounted to them",
    "leave the label toolforge=tool out, or create it in the namespace tool-<toolname> of a tool",
);
const MOUNT_STORAGE: Law = Law::fixed(
    "volumes/mount-storage",
    "A Pod gets all of the tool's storage or none of it",
    "say all or none, or leave the label out, which means all",
);
const NAME: Law = Law::fixed(
    "volumes/name",
    "This name is that of a volume which Pods labelled toolforge=tool get",
    "give the volume another name, or leave the label out",
);
const READ_ONLY: Law = Law::fixed(
    "volumes/read-only",
    "This path may be mounted read-only only",
    "set readOnly, or leave the mount out and label the Pod toolforge=tool",
);
const SUB_PATH: Law = Law::fixed(
    "volumes/sub-path",
    "Paths of the machine are mounted whole",
    "leave it out and name the folder below the mount where it is used",
);
const PROPAGATION: Law = Law::fixed(
    "volumes/propagation",
    "Mounts of paths of the machine do not take part in its mounts",
    "leave mountPropagation out",
);

/// What Pods of tools get from the machine, and which namespaces are not looked at.
#[derive(Clone, Debug, Default)]
pub struct VolumesPolicy {
    mounts: Vec<Mount>,
    node_selector: BTreeMap<String, String>,
    safe_namespaces: BTreeSet<String>,
}

impl VolumesPolicy {
    /// A policy with these mounts.
    ///
    /// # Errors
    /// Everything that is wrong with the mounts, at once.
    pub fn new(
        mounts: Vec<Mount>,
        safe_namespaces: impl IntoIterator<Item = String>,
    ) -> Result<Self, MountError> {
        mount::check(&mounts)?;
        Ok(Self {
            mounts,
            node_selector: BTreeMap::new(),
            safe_namespaces: safe_namespaces.into_iter().collect(),
        })
    }

    /// The same policy, with labels that the machines have on which the mounts are.
    #[must_use]
    pub fn with_node_selector(mut self, labels: BTreeMap<String, String>) -> Self {
        self.node_selector = labels;
        self
    }

    /// The configured mounts.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Namespaces whose workloads are not looked at.
    pub fn safe_namespaces(&self) -> &BTreeSet<String> {
        &self.safe_namespaces
    }

    /// Whether this Pod, or the Pods of this template, get the tool's environment.
    pub fn gives_to(&self, workload: &Workload) -> bool {
        asks_for_environment(workload)
            && is_of_tool(workload.namespace())
            && !self.safe_namespaces.contains(workload.namespace())
    }

    fn mount(&self, name: &str) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.name == name)
    }
}

/// Whether a Pod, or a template of Pods, has no volumes of the machine but those that it would be given.
pub fn admit_volumes(policy: &VolumesPolicy, workload: &Workload) -> Verdict {
    let mut offences = Offences::default();
    if policy.safe_namespaces.contains(workload.namespace()) {
        return Verdict::default();
    }
    if !is_of_tool(workload.namespace()) {
        if is_labelled(workload) {
            let namespace = quoted(workload.namespace());
            offences.value(&NAMESPACE, "metadata.namespace".to_owned(), &namespace);
        }
        return offences.into_verdict();
    }
    let asks = asks_for_environment(workload);
    check_mount_storage(workload, &mut offences);
    for (i, volume) in workload.spec().volumes.iter().flatten().enumerate() {
        check_volume(policy, workload, i, volume, asks, &mut offences);
    }
    if asks {
        check_node_selector(policy, workload, &mut offences);
    }
    offences.into_verdict()
}

/// Whether the Pod has, or will have, the label of Pods that belong to a tool's environment.
fn is_labelled(workload: &Workload) -> bool {
    workload.label(labels::TOOLFORGE) == Some(labels::TOOLFORGE_TOOL)
}

/// Whether it asks for that environment: it may do without the tool's storage, and then nothing leads there.
fn asks_for_environment(workload: &Workload) -> bool {
    is_labelled(workload) && workload.label(labels::MOUNT_STORAGE) != Some(labels::MOUNT_STORAGE_NONE)
}

fn check_mount_storage(workload: &Workload, offences: &mut Offences) {
    let known = [labels::MOUNT_STORAGE_ALL, labels::MOUNT_STORAGE_NONE];
    let value = workload.label(labels::MOUNT_STORAGE);
    if let Some(value) = value.filter(|value| is_labelled(workload) && !known.contains(value)) {
        let field = format!("metadata.labels[{}]", quoted(labels::MOUNT_STORAGE));
        offences.value(&MOUNT_STORAGE, field, &quoted(value));
    }
}

fn check_volume(
    policy: &VolumesPolicy,
    workload: &Workload,
    index: usize,
    volume: &Volume,
    asks: bool,
    offences: &mut Offences,
) {
    let mount = policy.mount(&volume.name);
    let Some(source) = &volume.host_path else {
        if asks && mount.is_some() {
            let field = workload.field(format!("volumes[{index}].name"));
            offences.value(&NAME, field, &quoted(&volume.name));
        }
        return;
    };
    let same = |mount: &&Mount| {
        let kind = source.type_.as_deref().unwrap_or_default();
        mount.path == source.path && (kind.is_empty() || kind == mount.kind)
    };
    let Some(mount) = mount.filter(same) else {
        let field = workload.field(format!("volumes[{index}].hostPath.path"));
        let found = format!("{field} is {} ({})", quoted(&source.path), quoted(&volume.name));
        offences.shown_as(&host_path_law(policy), field, found);
        return;
    };
    for container in workload.containers() {
        for (i, place) in container.mounts.iter().enumerate() {
            if place.name == volume.name {
                let field = workload.field(container.field(format!("volumeMounts[{i}]")));
                check_mount(mount, place, &field, offences);
            }
        }
    }
}

/// A mount of a configured volume shows it as it is.
fn check_mount(mount: &Mount, place: &VolumeMount, field: &str, offences: &mut Offences) {
    if mount.read_only && place.read_only != Some(true) {
        let found = format!("{field}.readOnly is not set for {}", quoted(&mount.path));
        offences.shown_as(&READ_ONLY, format!("{field}.readOnly"), found);
    }
    for (name, value) in [
        ("subPath", &place.sub_path),
        ("subPathExpr", &place.sub_path_expr),
    ] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            offences.value(&SUB_PATH, format!("{field}.{name}"), &quoted(value));
        }
    }
    let propagation = place.mount_propagation.as_deref();
    if let Some(value) = propagation.filter(|value| !matches!(*value, "" | "None")) {
        offences.value(&PROPAGATION, format!("{field}.mountPropagation"), &quoted(value));
    }
}

fn check_node_selector(policy: &VolumesPolicy, workload: &Workload, offences: &mut Offences) {
    let selector = workload.spec().node_selector.as_ref();
    for (key, wanted) in &policy.node_selector {
        let other = selector.and_then(|selector| selector.get(key));
        if let Some(other) = other.filter(|other| *other != wanted) {
            let law = Law::spoken(
                "volumes/node-selector",
                "Pods labelled toolforge=tool run where the tools' volumes are".to_owned(),
                format!("leave it out or use {}", quoted(wanted)),
            );
            let field = workload.field(format!("nodeSelector[{}]", quoted(key)));
            offences.value(&law, field, &quoted(other));
        }
    }
}

fn host_path_law(policy: &VolumesPolicy) -> Law {
    let sentence = "No hostPath volumes allowed";
    if policy.mounts.is_empty() {
        let remedy = "leave it out; the tool's home and data are there without it";
        return Law::fixed("volumes/host-path", sentence, remedy);
    }
    let paths: Vec<&str> = policy.mounts.iter().map(|mount| mount.path.as_str()).collect();
    Law::spoken(
        "volumes/host-path",
        sentence.to_owned(),
        format!(
            "leave it out; Pods labelled toolforge=tool get {}",
            paths.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests;
