//! A path of the machine that tools' Pods get, as the operator writes it down.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The types of paths that Kubernetes knows; empty is not checked.
const KINDS: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];
/// The longest name of a volume in bytes.
const LONGEST_NAME: usize = 63;

/// One path of the machine, which has the same place in containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// Name of the volume: a DNS label, each once.
    pub name: String,
    /// Absolute path, on the machine and in containers, each once.
    pub path: String,
    /// What must be there before a Pod starts: `Directory`, `File`, `Socket` and so on; empty is not checked.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Whether nobody may write there.
    #[serde(default)]
    pub read_only: bool,
}

/// Everything that is wrong with a list of mounts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mounts of tools cannot be as configured: {}", .0.join("; "))]
pub struct MountError(Vec<String>);

/// Checks a list of mounts.
pub(super) fn check(mounts: &[Mount]) -> Result<(), MountError> {
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    let mut problems = Vec::new();
    for (i, mount) in mounts.iter().enumerate() {
        let Mount { name, path, kind, .. } = mount;
        if !is_label(name) {
            problems.push(format!("[{i}].name {name:?} is no DNS label"));
        } else if !names.insert(name) {
            problems.push(format!("[{i}].name {name:?} is there twice"));
        }
        if !is_plain_path(path) {
            problems.push(format!(
                "[{i}].path {path:?} is no absolute path without empty parts, dots and a slash at its end"
            ));
        } else if !paths.insert(path) {
            problems.push(format!("[{i}].path {path:?} is there twice"));
        }
        if !KINDS.contains(&kind.as_str()) {
            problems.push(format!(
                "[{i}].type {kind:?} is none of {}",
                KINDS[1..].join(", ")
            ));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(MountError(problems))
    }
}

fn is_label(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Kubernetes allows no colon in the place of a mount, and none of this needs one.
fn is_plain_path(path: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains([':', '\0']);
    path.strip_prefix('/')
        .is_some_and(|path| path.split('/').all(part))
}
