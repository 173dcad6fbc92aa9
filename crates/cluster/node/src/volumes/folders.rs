//! Where volumes lie: scratch space on disk, everything else in memory that nobody but the node can name.

use std::{
    collections::HashSet,
    ffi::CString,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    sync::Arc,
};

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, Volume};
use toolforge_model::Quantity;

use crate::process::Namespaces;

/// What scratch space is open to: whoever its Pod runs as.
const SCRATCH_MODE: u32 = 0o777;
/// Where a Pod's containers leave their last words: no name of a volume begins with a dot.
const MESSAGES: &str = ".messages";
/// What a Pod's own group adds to it.
const GROUP_MODE: u32 = 0o2770;

/// The places of all Pods' volumes.
#[derive(Debug)]
pub(crate) struct VolumeFolders {
    disk: PathBuf,
    namespaces: Option<Arc<Namespaces>>,
}

impl VolumeFolders {
    /// The volumes below the node's folder. Without namespaces there are none but the machine's own paths.
    pub(crate) fn new(state_dir: &Path, namespaces: Option<Arc<Namespaces>>) -> Self {
        let disk = state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned());
        Self {
            disk: disk.join("volumes").join("disk"),
            namespaces,
        }
    }

    /// Whether containers can have volumes mounted.
    pub(crate) fn can_mount(&self) -> bool {
        self.namespaces.is_some()
    }

    /// The folder of a volume, as containers' namespaces have it.
    pub(super) fn seen(&self, uid: &str, volume: &Volume) -> Option<PathBuf> {
        let namespaces = self.namespaces.as_ref()?;
        let base = if is_on_disk(volume) {
            &self.disk
        } else {
            namespaces.memory_at()
        };
        Some(base.join(below(uid, &volume.name).ok()?))
    }

    /// Makes the folder of a volume whose files the node writes, and says where this process reaches it.
    pub(super) fn make_for_files(&self, uid: &str, volume: &str) -> io::Result<PathBuf> {
        let folder = self.memory()?.memory_folder().join(below(uid, volume)?);
        make(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        Ok(folder)
    }

    /// Makes scratch space. `group` is the Pod's `fsGroup`.
    pub(super) fn make_scratch(
        &self,
        uid: &str,
        volume: &str,
        source: &EmptyDirVolumeSource,
        group: Option<u32>,
    ) -> io::Result<()> {
        let place = below(uid, volume)?;
        let memory = match source.medium.as_deref().unwrap_or_default() {
            "" => false,
            "Memory" => true,
            other => return Err(io::Error::other(format!("this node has no medium {other:?}"))),
        };
        let folder = if memory {
            self.memory()?.memory_folder()
        } else {
            self.disk.clone()
        }
        .join(&place);
        make(&folder)?;
        if memory {
            self.memory()?.mount_memory(&place, &options(source)?)?;
        }
        let shared = group.map_or(0, |_| GROUP_MODE);
        chown(&folder, None, group)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(SCRATCH_MODE | shared))
    }

    /// Makes the folder for the last words of a Pod's containers, which no volume can be named as; `None` where containers
    /// can have nothing mounted.
    pub(super) fn make_for_messages(&self, uid: &str) -> io::Result<Option<PathBuf>> {
        if !self.can_mount() {
            return Ok(None);
        }
        let folder = self.disk.join(below(uid, "messages")?.with_file_name(MESSAGES));
        make(&folder)?;
        Ok(Some(folder))
    }

    /// Takes away all volumes of a Pod. Blocks for as long as the files in them take.
    pub(crate) fn remove(&self, uid: &str) {
        if !is_name(uid) {
            return;
        }
        if let Some(namespaces) = &self.namespaces {
            let folder = namespaces.memory_folder().join(uid);
            for name in names(&folder) {
                if let Err(error) = namespaces.unmount_memory(&Path::new(uid).join(name)) {
                    tracing::warn!(uid, %error, "memory of a volume cannot be unmounted");
                }
            }
            clear(&folder);
        }
        clear(&self.disk.join(uid));
    }

    /// Takes away the volumes of Pods that are no longer there, which an earlier life of the node left.
    pub(crate) fn keep_only(&self, uids: &HashSet<String>) {
        for name in names(&self.disk) {
            if name.to_str().is_none_or(|name| !uids.contains(name)) {
                clear(&self.disk.join(name));
            }
        }
    }

    fn memory(&self) -> io::Result<&Namespaces> {
        self.namespaces
            .as_deref()
            .ok_or_else(|| io::Error::other("volumes need root"))
    }
}

fn is_on_disk(volume: &Volume) -> bool {
    let scratch = volume.empty_dir.as_ref();
    scratch.is_some_and(|scratch| scratch.medium.as_deref().unwrap_or_default() != "Memory")
}

/// The path of a volume below its base. The API gives out no other names; the node, which is root, looks again.
fn below(uid: &str, volume: &str) -> io::Result<PathBuf> {
    if is_name(uid) && is_name(volume) {
        Ok(Path::new(uid).join(volume))
    } else {
        Err(io::Error::other("a Pod or a volume has an impossible name"))
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Options of memory for scratch space: its size is limited as the Pod says, else as the kernel does.
fn options(source: &EmptyDirVolumeSource) -> io::Result<CString> {
    let written = source.size_limit.as_ref();
    let limit = written.and_then(|limit| limit.0.parse::<Quantity>().ok());
    let bytes = limit.map_or(0, Quantity::units);
    let size = if bytes > 0 {
        format!(",size={bytes}")
    } else {
        String::new()
    };
    Ok(CString::new(format!("mode=0777{size}"))?)
}

fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect()
}

/// Removes a folder with all that is in it; links in it are removed, never followed.
fn clear(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %error, "volumes cannot be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_lead_elsewhere() {
        for name in ["", "..", ".", "a/b", "../x", "a\0"] {
            assert!(
                below("uid", name).is_err() && below(name, "v").is_err(),
                "{name:?}"
            );
        }
        assert_eq!(below("uid", "v").expect("path"), Path::new("uid/v"));
    }

    #[test]
    fn memory_is_limited_as_the_pod_says() {
        let source = |limit: Option<&str>| EmptyDirVolumeSource {
            size_limit: limit
                .map(|text| k8s_openapi::apimachinery::pkg::api::resource::Quantity(text.to_owned())),
            ..Default::default()
        };
        let text = |limit| {
            options(&source(limit))
                .expect("options")
                .into_string()
                .expect("text")
        };
        assert_eq!(text(Some("64Mi")), "mode=0777,size=67108864");
        assert_eq!(text(None), "mode=0777");
        assert_eq!(text(Some("0")), "mode=0777");
    }

    #[test]
    fn what_an_earlier_life_left_is_removed() {
        let state = tempfile::tempdir().expect("folder");
        let folders = VolumeFolders::new(state.path(), None);
        for uid in ["a", "b"] {
            fs::create_dir_all(folders.disk.join(uid).join("v")).expect("folder");
        }
        folders.keep_only(&HashSet::from(["a".to_owned()]));
        assert!(folders.disk.join("a/v").is_dir() && !folders.disk.join("b").exists());
    }
}
