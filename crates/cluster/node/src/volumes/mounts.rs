//! Which volume appears where in a container. Pure but for the places that [`VolumeFolders`] names.

use k8s_openapi::api::core::v1::{Container, Pod, Volume, VolumeMount};

use super::{folders::VolumeFolders, is_dispensable};
use crate::{
    process::expand,
    runtime::{CreateError, Mount, MountSource},
};

/// The mounts of a container. `environment` is what `subPathExpr` may refer to.
pub(crate) fn mounts(
    pod: &Pod,
    container: &Container,
    environment: &[(String, String)],
    folders: &VolumeFolders,
) -> Result<Vec<Mount>, CreateError> {
    if container
        .volume_devices
        .as_ref()
        .is_some_and(|devices| !devices.is_empty())
    {
        return Err(CreateError(
            "volumeDevices: this node has no block volumes".to_owned(),
        ));
    }
    let volumes = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.volumes.as_deref())
        .unwrap_or_default();
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = volumes
            .iter()
            .find(|volume| volume.name == mount.name)
            .ok_or_else(|| {
                CreateError(format!(
                    "volumeMounts: there is no volume named \"{}\"",
                    mount.name
                ))
            })?;
        if folders.can_mount() || !is_dispensable(volume) {
            mounts.push(one(pod, volume, mount, environment, folders)?);
        }
    }
    Ok(mounts)
}

fn one(
    pod: &Pod,
    volume: &Volume,
    mount: &VolumeMount,
    environment: &[(String, String)],
    folders: &VolumeFolders,
) -> Result<Mount, CreateError> {
    if mount.mount_propagation.as_deref() == Some("Bidirectional") {
        return Err(CreateError(format!(
            "volume \"{}\": nothing that a container mounts reaches the machine: mountPropagation Bidirectional is not offered",
            volume.name
        )));
    }
    let source = match &volume.host_path {
        Some(host) => MountSource::Host((&host.path).into()),
        None => MountSource::Folder(folder(pod, volume, folders)?),
    };
    Ok(Mount {
        volume: volume.name.clone(),
        source,
        sub_path: sub_path(mount, environment)?,
        path: (&mount.mount_path).into(),
        read_only: mount.read_only == Some(true) || is_read_only(volume),
        recursive_read_only: matches!(
            mount.recursive_read_only.as_deref(),
            Some("Enabled" | "IfPossible")
        ),
        optional: false,
    })
}

fn folder(pod: &Pod, volume: &Volume, folders: &VolumeFolders) -> Result<std::path::PathBuf, CreateError> {
    let name = &volume.name;
    if !(is_read_only(volume) || volume.empty_dir.is_some()) {
        return Err(CreateError(format!(
            "volume \"{name}\": this node offers emptyDir, configMap, secret, downwardAPI, projected and hostPath volumes, nothing else"
        )));
    }
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    // Without namespaces the place does not matter: the runtime refuses the mount.
    Ok(folders.seen(uid, volume).unwrap_or_default())
}

/// Volumes that show objects are nobody's to write.
fn is_read_only(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.downward_api.is_some()
        || volume.projected.is_some()
}

fn sub_path(mount: &VolumeMount, environment: &[(String, String)]) -> Result<Option<String>, CreateError> {
    let Some(written) = mount.sub_path_expr.as_ref().filter(|path| !path.is_empty()) else {
        return Ok(mount.sub_path.clone());
    };
    let mut missing = None;
    let path = expand(written, |name| {
        let value = environment
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone());
        if value.is_none() {
            missing = Some(name.to_owned());
        }
        value
    });
    let problem = match missing {
        Some(_) => format!("missing value for \"{}\"", missing.unwrap_or_default()),
        None if path.starts_with('/') => "must not be an absolute path".to_owned(),
        None if path.split('/').any(|part| part == "..") => "must not contain '..'".to_owned(),
        None => return Ok(Some(path)),
    };
    Err(CreateError(format!(
        "failed to expand subPath for volumeMount \"{}\": {problem}",
        mount.name
    )))
}
