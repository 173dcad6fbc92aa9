//! What a hostPath volume asks of the machine: that something of a kind is there, or is made.

use std::{
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, FileTypeExt as _},
    },
    path::Path,
};

use k8s_openapi::api::core::v1::HostPathVolumeSource;

use crate::process::{open_safely, real_path};

/// Checks the type of a path and makes what the type says to make.
pub(super) fn prepare(host: &HostPathVolumeSource) -> Result<(), String> {
    let (path, wanted) = (Path::new(&host.path), host.type_.as_deref().unwrap_or_default());
    let refused = |what: &str| format!("hostPath type check failed: {} is not {what}", path.display());
    let there = look(path).map_err(|error| format!("hostPath {}: {error}", path.display()))?;
    match (wanted, there) {
        ("DirectoryOrCreate", None) => make(path, true).map_err(|error| error.to_string()),
        ("FileOrCreate", None) => make(path, false).map_err(|error| error.to_string()),
        ("Directory" | "DirectoryOrCreate", Some(kind)) if kind.is_dir() => Ok(()),
        ("File" | "FileOrCreate", Some(kind)) if kind.is_file() => Ok(()),
        ("Socket", Some(kind)) if kind.is_socket() => Ok(()),
        ("CharDevice", Some(kind)) if kind.is_char_device() => Ok(()),
        ("BlockDevice", Some(kind)) if kind.is_block_device() => Ok(()),
        ("Directory" | "DirectoryOrCreate", _) => Err(refused("a directory")),
        ("File" | "FileOrCreate", _) => Err(refused("a file")),
        ("Socket", _) => Err(refused("a socket file")),
        ("CharDevice", _) => Err(refused("a character device")),
        ("BlockDevice", _) => Err(refused("a block device")),
        _ => Ok(()),
    }
}

fn look(path: &Path) -> io::Result<Option<std::fs::FileType>> {
    match open_safely(path) {
        Ok(thing) => {
            let data = std::fs::File::from(thing).metadata()?;
            Ok(Some(data.file_type()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a folder with all folders on the way, or a file in a folder that is there; never through a planted link.
fn make(path: &Path, folder: bool) -> io::Result<()> {
    let real = real_path(path)?;
    let name = real.file_name().ok_or(io::ErrorKind::NotFound)?;
    let parent = real.parent().ok_or(io::ErrorKind::NotFound)?;
    if folder && look(parent)?.is_none() {
        make(parent, true)?;
    }
    let parent = open_safely(parent)?;
    let inside = within(&parent).join(name);
    let made = if folder {
        std::fs::DirBuilder::new().mode(0o755).create(inside)
    } else {
        std::fs::File::create_new(inside).map(drop)
    };
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// An open folder as the start of a path.
fn within(folder: &OwnedFd) -> std::path::PathBuf {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", folder.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(path: &Path, kind: &str) -> Result<(), String> {
        prepare(&HostPathVolumeSource {
            path: path.display().to_string(),
            type_: Some(kind.to_owned()),
        })
    }

    #[test]
    fn each_type_asks_for_its_kind() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("written");
        for (path, kind, fits) in [
            (folder.path(), "Directory", true),
            (folder.path(), "DirectoryOrCreate", true),
            (folder.path(), "File", false),
            (folder.path(), "", true),
            (Path::new("/no/such"), "", true),
            (Path::new("/no/such"), "Directory", false),
            (&file, "File", true),
            (&file, "Directory", false),
            (&file, "Socket", false),
            (Path::new("/dev/null"), "CharDevice", true),
            (Path::new("/dev/null"), "BlockDevice", false),
        ] {
            assert_eq!(prepared(path, kind).is_ok(), fits, "{} {kind}", path.display());
        }
        let refused = prepared(&file, "Directory").expect_err("a file");
        assert!(
            refused.starts_with("hostPath type check failed: ") && refused.ends_with("is not a directory")
        );
    }

    #[test]
    fn what_is_to_be_made_is_made_once() {
        let folder = tempfile::tempdir().expect("folder");
        let deep = folder.path().join("a/b/c");
        for _ in 0..2 {
            prepared(&deep, "DirectoryOrCreate").expect("made");
            prepared(&deep.join("f"), "FileOrCreate").expect("made");
        }
        assert!(deep.join("f").is_file());
    }

    #[test]
    fn nothing_is_made_through_a_planted_link() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: giving files away needs root");
            return;
        }
        let (folder, elsewhere) = (
            tempfile::tempdir().expect("folder"),
            tempfile::tempdir().expect("folder"),
        );
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(elsewhere.path(), &link).expect("link");
        std::os::unix::fs::lchown(&link, Some(1234), None).expect("given away");
        assert!(prepared(&link.join("x"), "DirectoryOrCreate").is_err());
        assert!(!elsewhere.path().join("x").exists());
    }
}
