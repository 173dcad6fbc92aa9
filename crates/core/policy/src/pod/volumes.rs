//! Which volumes a tool's Pod may have.

use k8s_openapi::api::core::v1::{HostPathVolumeSource, Volume};

use super::{Guard, HostPath};
use crate::verdict::{Law, quoted};

const KIND: Law = Law::fixed(
    "pod/volume",
    "Pods of tools may have volumes of the kinds configMap, downwardAPI, emptyDir, image, persistentVolumeClaim, \
     projected and secret only",
    "use one of these",
);
const HOST_PATH: Law = Law::fixed(
    "pod/host-path",
    "Pods of tools must not mount paths of the machine",
    "leave it out; the tool's home and data are there without it",
);
const READ_ONLY: Law = Law::fixed(
    "pod/host-path-read-only",
    "This path may be mounted read-only only",
    "set readOnly",
);

/// Adds every volume that is not allowed, and every mount that could write where it must not.
pub(super) fn check(guard: &mut Guard<'_>) {
    let workload = guard.workload;
    for (i, volume) in workload.spec().volumes.iter().flatten().enumerate() {
        if let Some(host_path) = &volume.host_path {
            check_host_path(guard, i, volume, host_path);
        } else if !is_of_allowed_kind(volume) {
            // A kind that this program does not know looks as if there were none.
            let field = workload.field(&format!("volumes[{i}]"));
            let found = format!("{field} ({}) is of another kind", quoted(&volume.name));
            guard.offences.shown_as(&KIND, field, found);
        }
    }
}

/// Whether the volume has a source, and none but of the allowed kinds.
fn is_of_allowed_kind(volume: &Volume) -> bool {
    let has_one = volume.config_map.is_some()
        || volume.downward_api.is_some()
        || volume.empty_dir.is_some()
        || volume.image.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.projected.is_some()
        || volume.secret.is_some();
    let others = Volume {
        name: String::new(),
        config_map: None,
        downward_api: None,
        empty_dir: None,
        image: None,
        persistent_volume_claim: None,
        projected: None,
        secret: None,
        ..volume.clone()
    };
    has_one && others == Volume::default()
}

fn check_host_path(guard: &mut Guard<'_>, index: usize, volume: &Volume, source: &HostPathVolumeSource) {
    let mut rules = guard
        .policy
        .host_paths
        .iter()
        .filter(|rule| rule.covers(&source.path))
        .peekable();
    if rules.peek().is_none() {
        guard.refuse(
            &HOST_PATH,
            &format!("volumes[{index}].hostPath.path"),
            &quoted(&source.path),
        );
        return;
    }
    if rules.any(|rule| !rule.read_only) {
        return;
    }
    for container in guard.workload.containers() {
        for (i, mount) in container.mounts.iter().enumerate() {
            if mount.name == volume.name && mount.read_only != Some(true) {
                let field = container.field(&format!("volumeMounts[{i}].readOnly"));
                guard.refuse(
                    &READ_ONLY,
                    &field,
                    &format!("not set for {}", quoted(&source.path)),
                );
            }
        }
    }
}

impl HostPath {
    /// Whether the path is this one or below it, compared part by part; paths with `..` are below nothing.
    fn covers(&self, path: &str) -> bool {
        fn parts(path: &str) -> impl Iterator<Item = &str> {
            path.split('/').filter(|part| !part.is_empty() && *part != ".")
        }
        let mut path_parts = parts(path);
        path.starts_with('/')
            && !path.split('/').any(|part| part == "..")
            && parts(&self.prefix).all(|part| path_parts.next() == Some(part))
    }
}
