//! Which mounts the machine's own file system already is, and which it cannot be.

use std::path::Path;

use k8s_openapi::api::core::v1::{Container, Volume, VolumeMount};

use crate::runtime::CreateError;

/// Where admission mounts tokens into every Pod, asked or not; programs do without when it is not there.
const TOKENS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Whether every mount of the container is there without mounting anything.
pub(super) fn check(container: &Container, volumes: &[Volume]) -> Result<(), CreateError> {
    let mounts = container
        .volume_mounts
        .iter()
        .flatten()
        .filter(|mount| mount.mount_path != TOKENS);
    for mount in mounts {
        let volume = volumes.iter().find(|volume| volume.name == mount.name);
        let volume = volume.ok_or_else(|| {
            CreateError(format!(
                "volumeMounts: there is no volume named \"{}\"",
                mount.name
            ))
        })?;
        check_one(mount, volume)?;
    }
    Ok(())
}

fn check_one(mount: &VolumeMount, volume: &Volume) -> Result<(), CreateError> {
    let name = &volume.name;
    if let Some(host) = &volume.host_path {
        let source = match &mount.sub_path {
            Some(sub) => Path::new(&host.path).join(sub),
            None => Path::new(&host.path).to_owned(),
        };
        if source != Path::new(&mount.mount_path) {
            return Err(CreateError(format!(
                "volume \"{name}\": the process runtime shows the machine's files where they are, so mountPath {} has to be {}",
                mount.mount_path,
                source.display()
            )));
        }
        return check_type(name, &source, host.type_.as_deref().unwrap_or_default());
    }
    Err(CreateError(format!(
        "volume \"{name}\": the process runtime cannot mount it at {}: it offers only hostPath volumes at their own path",
        mount.mount_path
    )))
}

/// The types of hostPath that ask for something to be there.
fn check_type(name: &str, path: &Path, wanted: &str) -> Result<(), CreateError> {
    let fits = match wanted {
        "Directory" | "DirectoryOrCreate" => path.is_dir(),
        "File" | "FileOrCreate" => path.is_file(),
        "Socket" | "CharDevice" | "BlockDevice" => path.exists(),
        _ => true,
    };
    if fits {
        return Ok(());
    }
    Err(CreateError(format!(
        "volume \"{name}\": hostPath type check failed: {} is not a {wanted}",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, EmptyDirVolumeSource, HostPathVolumeSource};

    fn mounted(path: &str, volume: Volume) -> Result<(), CreateError> {
        let mount = VolumeMount {
            name: volume.name.clone(),
            mount_path: path.to_owned(),
            ..Default::default()
        };
        let container = Container {
            volume_mounts: Some(vec![mount]),
            ..Default::default()
        };
        check(&container, &[volume])
    }

    fn host(path: &str, kind: &str) -> Volume {
        let source = HostPathVolumeSource {
            path: path.to_owned(),
            type_: Some(kind.to_owned()),
        };
        Volume {
            name: "v".to_owned(),
            host_path: Some(source),
            ..Default::default()
        }
    }

    #[test]
    fn host_paths_at_their_own_path_are_there() {
        assert_eq!(mounted("/tmp", host("/tmp", "Directory")), Ok(()));
        assert_eq!(mounted("/no/such", host("/no/such", "")), Ok(()));
    }

    #[test]
    fn host_paths_elsewhere_or_of_another_type_are_refused() {
        assert!(
            mounted("/data", host("/tmp", ""))
                .expect_err("moved")
                .0
                .contains("/data")
        );
        assert!(mounted("/no/such", host("/no/such", "Directory")).is_err());
    }

    #[test]
    fn what_would_have_to_be_mounted_is_refused_with_its_name() {
        let config = ConfigMapVolumeSource {
            name: "c".to_owned(),
            ..Default::default()
        };
        let volume = Volume {
            name: "conf".to_owned(),
            config_map: Some(config),
            ..Default::default()
        };
        assert!(
            mounted("/tmp", volume.clone())
                .expect_err("config map")
                .0
                .contains("\"conf\"")
        );
        assert_eq!(mounted(TOKENS, volume), Ok(()), "tokens are optional");
    }

    #[test]
    fn scratch_space_would_have_to_be_mounted() {
        let empty = Some(EmptyDirVolumeSource::default());
        let volume = Volume {
            name: "s".to_owned(),
            empty_dir: empty,
            ..Default::default()
        };
        assert!(mounted("/tmp", volume).expect_err("not empty").0.contains("/tmp"));
    }
}
