//! The file in which a container leaves its last words (`terminationMessagePath`).
//!
//! It lies in the node's own folder, and one container has it mounted at its path. Where it is read is nobody's to link or to
//! replace: a container can write into it, and do nothing else with it.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Container, Pod};

use super::VolumeFolders;
use crate::runtime::{ContainerPlace, Mount, MountSource};

/// Bytes of the end of the file that are told; kubelet's number.
const BYTES: usize = 4096;
/// Bytes of all containers' messages of a Pod; kubelet's number.
const POD_BYTES: usize = 12 * 1024;
/// Whoever a container runs as may write.
const FILE_MODE: u32 = 0o666;

/// The file of one start of a container; goes when it is dropped.
#[derive(Debug)]
pub(crate) struct TerminationMessage {
    folder: PathBuf,
    name: String,
    path: PathBuf,
    limit: usize,
}

impl TerminationMessage {
    /// Makes the file; `None` where there are no mounts, or where the Pod has a volume in its place.
    pub(crate) fn make(
        folders: &VolumeFolders,
        pod: &Pod,
        container: &Container,
        place: &ContainerPlace,
        mounts: &[Mount],
    ) -> Option<Self> {
        let path = container.termination_message_path.as_deref();
        let path = PathBuf::from(path.filter(|path| !path.is_empty())?);
        if mounts.iter().any(|mount| mount.path == path) {
            return None;
        }
        let made = folders.make_for_messages(&place.pod_uid).and_then(|folder| {
            let Some(folder) = folder else { return Ok(None) };
            let name = format!("{}-{}", place.container, place.attempt);
            create(&folder.join(&name))?;
            Ok(Some((folder, name)))
        });
        let (folder, name) = made
            .inspect_err(
                |error| tracing::warn!(pod = place.pod, %error, "no file for the last words of a container"),
            )
            .ok()??;
        let limit = limit(pod);
        Some(Self {
            folder,
            name,
            path,
            limit,
        })
    }

    /// The file in its place. A container that cannot have it there does without.
    pub(crate) fn mount(&self) -> Mount {
        Mount {
            volume: "termination message".to_owned(),
            source: MountSource::Folder(self.folder.clone()),
            sub_path: Some(self.name.clone()),
            path: self.path.clone(),
            read_only: false,
            recursive_read_only: false,
            optional: true,
        }
    }

    /// The end of what the container wrote; none when it wrote nothing.
    pub(crate) fn read(&self) -> Option<String> {
        let text = end_of(&self.folder.join(&self.name), self.limit);
        let text = text.unwrap_or_else(|error| {
            let path = self.path.display();
            format!("Error on reading termination log {path}: {error}")
        });
        (!text.is_empty()).then_some(text)
    }
}

impl Drop for TerminationMessage {
    fn drop(&mut self) {
        // What stays goes with the Pod's folder.
        let _ = fs::remove_file(self.folder.join(&self.name));
    }
}

/// Makes an empty file; an earlier try may have left one.
fn create(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let made = OpenOptions::new().write(true).create_new(true).open(file)?;
    made.set_permissions(Permissions::from_mode(FILE_MODE))
}

fn end_of(file: &Path, limit: usize) -> io::Result<String> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(file)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.take(BYTES as u64).read_to_end(&mut bytes)?;
    // The end of the file, and of that the beginning: kubelet cuts first the one and then the other.
    bytes.truncate(limit);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What each container of a Pod may tell.
fn limit(pod: &Pod) -> usize {
    let spec = pod.spec.as_ref();
    let containers = spec.map_or(0, |spec| {
        spec.containers.len()
            + spec.init_containers.as_ref().map_or(0, Vec::len)
            + spec.ephemeral_containers.as_ref().map_or(0, Vec::len)
    });
    (POD_BYTES / containers.max(1)).min(BYTES)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::PodSpec;

    use super::*;

    #[test]
    fn the_end_of_the_file_is_told_and_links_are_not_followed() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("c-0");
        create(&file).expect("made");
        assert_eq!(end_of(&file, BYTES).expect("read"), "");
        fs::write(&file, "x".repeat(BYTES) + "end").expect("written");
        let text = end_of(&file, BYTES).expect("read");
        assert!(text.len() == BYTES && text.ends_with("xend"));
        assert_eq!(end_of(&file, 10).expect("read"), "x".repeat(10));
        create(&file).expect("made anew");
        assert_eq!(end_of(&file, BYTES).expect("read"), "");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).expect("link");
        assert!(end_of(&link, BYTES).is_err());
    }

    #[test]
    fn containers_of_a_pod_share_what_may_be_told() {
        let pod = |count| Pod {
            spec: Some(PodSpec {
                containers: vec![Container::default(); count],
                ..PodSpec::default()
            }),
            ..Pod::default()
        };
        assert_eq!([1, 3, 12].map(|count| limit(&pod(count))), [4096, 4096, 1024]);
    }
}
