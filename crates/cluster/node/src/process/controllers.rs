//! Which cgroup controllers of this machine the runtime may use, and where. Looking changes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::Access;

use super::cgroup::account;
use crate::usage::Memory;

/// The two generations of the kernel's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// The root of one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    pub(super) root: PathBuf,
    pub(super) version: Version,
}

/// What limits and counts a container's resources; each may be missing, and hierarchies may be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Controllers {
    pub(super) memory: Option<Hierarchy>,
    pub(super) cpu: Option<Hierarchy>,
    /// CPU time used; part of `cpu` in the second generation.
    pub(super) cpu_time: Option<Hierarchy>,
    pub(super) pids: Option<Hierarchy>,
}

impl Controllers {
    /// None at all, as an ordinary user has it.
    pub(crate) fn none() -> Self {
        Self {
            memory: None,
            cpu: None,
            cpu_time: None,
            pids: None,
        }
    }

    /// What the mounted hierarchies offer to a process that may write to them.
    pub(crate) fn detect() -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        Self::among(&mounts, offered_below)
    }

    /// Picks from a mount table; `offered` tells what a hierarchy of the second generation passes on.
    fn among(mounts: &str, offered: impl Fn(&Path, Version) -> Option<Vec<String>>) -> Self {
        let found: Vec<(Hierarchy, Vec<String>)> = mounts
            .lines()
            .filter_map(|line| hierarchy(line, &offered))
            .collect();
        let pick = |name: &str| {
            let with = found
                .iter()
                .find(|(_, controllers)| controllers.iter().any(|one| one == name));
            with.map(|(hierarchy, _)| hierarchy.clone())
        };
        let cpu = pick("cpu");
        let cpu_time = pick("cpuacct").or_else(|| cpu.clone().filter(|cpu| cpu.version == Version::Two));
        Self {
            memory: pick("memory"),
            cpu,
            cpu_time,
            pids: pick("pids"),
        }
    }

    /// CPU time of the whole machine, by the root of its hierarchy.
    pub(crate) fn cpu_time_of_all(&self) -> Option<Duration> {
        let root = self.cpu_time.as_ref()?;
        account::cpu_time(root.version, |file| fs::read_to_string(root.root.join(file)).ok())
            .map(|(all, ..)| all)
    }

    /// Memory of the whole machine, by the root of its hierarchy. That of the second generation has no account.
    pub(crate) fn memory_of_all(&self) -> Option<Memory> {
        let root = self.memory.as_ref()?;
        account::memory(root.version, |file| fs::read_to_string(root.root.join(file)).ok())
    }

    pub(crate) fn has_memory(&self) -> bool {
        self.memory.is_some()
    }

    pub(crate) fn has_cpu(&self) -> bool {
        self.cpu.is_some()
    }

    pub(crate) fn has_pids(&self) -> bool {
        self.pids.is_some()
    }

    #[cfg(test)]
    pub(crate) fn all_for_tests() -> Self {
        let unified = Some(Hierarchy {
            root: "/sys/fs/cgroup".into(),
            version: Version::Two,
        });
        Self {
            memory: unified.clone(),
            cpu: unified.clone(),
            cpu_time: unified.clone(),
            pids: unified,
        }
    }
}

/// One line of the mount table, when it is a hierarchy that can be used.
fn hierarchy(
    line: &str,
    offered: &impl Fn(&Path, Version) -> Option<Vec<String>>,
) -> Option<(Hierarchy, Vec<String>)> {
    let mut fields = line.split(' ').skip(1);
    let (root, kind, options) = (PathBuf::from(fields.next()?), fields.next()?, fields.next()?);
    let mut options = options.split(',');
    if options.clone().any(|option| option == "ro") {
        return None;
    }
    match kind {
        "cgroup" => {
            offered(&root, Version::One)?;
            let controllers = options.by_ref().map(str::to_owned).collect();
            Some((
                Hierarchy {
                    root,
                    version: Version::One,
                },
                controllers,
            ))
        }
        "cgroup2" => {
            let controllers = offered(&root, Version::Two)?;
            Some((
                Hierarchy {
                    root,
                    version: Version::Two,
                },
                controllers,
            ))
        }
        _ => None,
    }
}

/// What groups made below a hierarchy's root will have; none when none can be made.
fn offered_below(root: &Path, version: Version) -> Option<Vec<String>> {
    rustix::fs::access(root, Access::WRITE_OK | Access::EXEC_OK).ok()?;
    if version == Version::One {
        return Some(Vec::new());
    }
    // The true root may always pass its controllers on; what only looks like one (in a container) has processes of
    // its own and so passes on just what is enabled already (cgroups(7), "no internal processes").
    let is_true_root = !root.join("cgroup.events").exists();
    let list = if is_true_root {
        "cgroup.controllers"
    } else {
        "cgroup.subtree_control"
    };
    let text = fs::read_to_string(root.join(list)).ok()?;
    Some(text.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(names: &'static str) -> impl Fn(&Path, Version) -> Option<Vec<String>> {
        move |_, version| match version {
            Version::One => Some(Vec::new()),
            Version::Two => Some(names.split_whitespace().map(str::to_owned).collect()),
        }
    }

    const HYBRID: &str = "tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup ro,relatime,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0";

    #[test]
    fn a_hybrid_machine_offers_the_writable_hierarchies_of_the_first_generation() {
        let found = Controllers::among(HYBRID, unified(""));
        let memory = found.memory.as_ref().expect("memory");
        assert_eq!(
            (memory.root.as_path(), memory.version),
            (Path::new("/sys/fs/cgroup/memory"), Version::One)
        );
        assert_eq!(found.cpu, found.cpu_time);
        assert!(found.has_cpu());
        assert!(!found.has_pids(), "it is mounted read-only");
    }

    #[test]
    fn a_unified_machine_offers_what_its_root_passes_on() {
        let found = Controllers::among(
            "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0",
            unified("cpu memory"),
        );
        assert!(found.has_memory() && found.has_cpu() && !found.has_pids());
        assert_eq!(found.cpu_time, found.cpu);
    }

    #[test]
    fn a_machine_that_lets_nobody_write_offers_nothing() {
        assert_eq!(Controllers::among(HYBRID, |_, _| None), Controllers::none());
    }
}
