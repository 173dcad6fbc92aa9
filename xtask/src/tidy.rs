//! `cargo xtask tidy`: the shape of the house. Layers point down, every crate opts into the lints, every
//! file says what it is and can be read in one sitting, and no folder is called `utils`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::bail;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::process;

/// Longer files cannot be read in one sitting.
const MOST_LINES: usize = 800;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["mod", "utils", "util", "common", "helpers"];
/// Crates that core must not reach: it has no clock, no socket, no disk.
const OUTSIDE: [&str; 8] = [
    "tokio",
    "hyper",
    "kube",
    "axum",
    "reqwest",
    "rustix",
    "tokio-util",
    "tracing",
];

/// The floors of the house, from the ground up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Core,
    Base,
    Directory,
    Platform,
    Cluster,
    Testkit,
    Roof,
    Xtask,
    Bench,
}

impl Layer {
    /// The floor of a package, by its folder.
    fn of(folder: &Path) -> Option<Self> {
        let mut parts = folder.iter().map(|part| part.to_str().unwrap_or_default());
        match (parts.next()?, parts.next()) {
            ("crates", Some("core")) => Some(Self::Core),
            ("crates", Some("base")) => Some(Self::Base),
            ("crates", Some("directory")) => Some(Self::Directory),
            ("crates", Some("platform")) => Some(Self::Platform),
            ("crates", Some("cluster")) => Some(Self::Cluster),
            ("crates", Some("testkit")) => Some(Self::Testkit),
            ("crates", Some("toolforge")) => Some(Self::Roof),
            ("xtask", None) => Some(Self::Xtask),
            ("bench", None) => Some(Self::Bench),
            _ => None,
        }
    }

    /// What a floor may stand on. Platform and cluster meet over the Kubernetes API only.
    fn may_use(self, other: Self) -> bool {
        match self {
            Self::Core => other == Self::Core,
            Self::Base => matches!(other, Self::Core | Self::Base),
            Self::Directory => matches!(other, Self::Core | Self::Base),
            Self::Platform => matches!(other, Self::Core | Self::Base | Self::Platform),
            Self::Cluster => matches!(other, Self::Core | Self::Base | Self::Cluster),
            Self::Testkit => matches!(other, Self::Core | Self::Base),
            // A bench measures the program from outside, as its users meet it; what a component stands between it may
            // bring along: a cluster and a directory.
            Self::Bench => !matches!(other, Self::Platform | Self::Roof | Self::Testkit | Self::Xtask),
            Self::Roof => !matches!(other, Self::Xtask | Self::Bench),
            Self::Xtask => false,
        }
    }

    /// In its tests a component may also stand on a real cluster and a real directory.
    fn may_test_with(self, other: Self) -> bool {
        self.may_use(other)
            || other == Self::Testkit
            || (self == Self::Platform && matches!(other, Self::Cluster | Self::Directory))
    }
}

pub(crate) fn run() -> anyhow::Result<()> {
    let mut problems = Vec::new();
    packages(&mut problems)?;
    let root = process::root();
    for folder in ["bench", "crates", "xtask"] {
        files(&root.join(folder), &mut problems)?;
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("the house is not tidy:\n  {}", problems.join("\n  "))
}

fn packages(problems: &mut Vec<String>) -> anyhow::Result<()> {
    let root = process::root();
    let metadata = MetadataCommand::new().current_dir(&root).no_deps().exec()?;
    let folder = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_owned();
    for package in &metadata.packages {
        let own = folder(
            package
                .manifest_path
                .parent()
                .map_or(Path::new(""), |parent| parent.as_std_path()),
        );
        let Some(layer) = Layer::of(&own) else {
            problems.push(format!(
                "{}: this folder is on no floor of the house",
                own.display()
            ));
            continue;
        };
        dependencies(package, layer, &folder, problems);
        let manifest = fs::read_to_string(&package.manifest_path)?;
        if !manifest.contains("[lints]\nworkspace = true") {
            problems.push(format!(
                "{}: opt into the lints of the workspace",
                package.manifest_path
            ));
        }
    }
    Ok(())
}

fn dependencies(
    package: &Package,
    layer: Layer,
    folder: &dyn Fn(&Path) -> PathBuf,
    problems: &mut Vec<String>,
) {
    for dependency in &package.dependencies {
        let testing = dependency.kind == DependencyKind::Development;
        if let Some(path) = &dependency.path {
            let allowed = Layer::of(&folder(path.as_std_path())).is_some_and(|other| {
                if testing {
                    layer.may_test_with(other)
                } else {
                    layer.may_use(other)
                }
            });
            if !allowed {
                problems.push(format!(
                    "{} must not use {}: layers point down",
                    package.name, dependency.name
                ));
            }
        } else if layer == Layer::Core && !testing && OUTSIDE.contains(&dependency.name.as_str()) {
            problems.push(format!(
                "{} must not use {}: core has no outside",
                package.name, dependency.name
            ));
        }
    }
}

fn files(folder: &Path, problems: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) {
            problems.push(format!("{}: call it what it is", path.display()));
        }
        if path.is_dir() {
            files(&path, problems)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let lines = text.lines().count();
            if lines > MOST_LINES {
                problems.push(format!(
                    "{}: {lines} lines cannot be read in one sitting",
                    path.display()
                ));
            }
            // `tests.rs` belongs to the file beside it, which says what it is.
            if !text.starts_with("//!") && stem != "tests" {
                problems.push(format!("{}: begin with //! and say what it is", path.display()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_and_cluster_do_not_know_each_other() {
        let layer = |folder| Layer::of(Path::new(folder)).unwrap();
        let (platform, cluster) = (layer("crates/platform/gateway"), layer("crates/cluster/node"));
        assert!(!platform.may_use(cluster) && !cluster.may_use(platform));
        assert!(platform.may_test_with(cluster) && !cluster.may_test_with(platform));
        assert!(layer("crates/toolforge").may_use(platform) && layer("crates/toolforge").may_use(cluster));
        assert!(!layer("crates/core/model").may_use(layer("crates/base/pki")));
        assert_eq!(Layer::of(Path::new("elsewhere")), None);
    }
}
