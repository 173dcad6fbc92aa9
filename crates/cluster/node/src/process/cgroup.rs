//! A cgroup per container: its limits, its account of what was used, and the sure way to end all of it.
//!
//! All groups of one node lie in one folder that is named after its state folder, so that the node finds those of
//! an earlier life again, and two nodes of one machine never touch each other's.

pub(super) mod account;

use std::{
    fs::{self, File},
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use rustix::process::Pid;

use super::{
    controllers::{Controllers, Hierarchy, Version},
    ending::{END_LIMIT, LOOK_EVERY, end_all},
    limits::{Limits, Part},
};
use crate::usage::Usage;

/// The groups of one node.
#[derive(Debug, Clone)]
pub(super) struct Cgroups {
    home: Arc<Home>,
}

/// The folder that all groups of a node lie in, removed when neither the node nor a container needs it any more.
#[derive(Debug)]
struct Home {
    controllers: Controllers,
    folder: String,
}

/// The group of one container: a folder in each hierarchy.
#[derive(Debug)]
pub(super) struct Cgroup {
    /// Keeps the folder around.
    _home: Arc<Home>,
    path: String,
    memory: Option<Place>,
    cpu: Option<Place>,
    cpu_time: Option<Place>,
    pids: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    folder: PathBuf,
    version: Version,
}

impl Cgroups {
    pub(super) fn new(controllers: Controllers, state_dir: &Path) -> Self {
        let folder = format!("toolforge-{:016x}", fingerprint(state_dir.as_os_str().as_bytes()));
        Self {
            home: Arc::new(Home { controllers, folder }),
        }
    }

    /// Makes the group of a container; none where the machine has no controllers for us.
    pub(super) fn make(&self, name: &str, limits: &Limits) -> io::Result<Option<Cgroup>> {
        if self.home.controllers == Controllers::none() {
            return Ok(None);
        }
        for hierarchy in self.home.hierarchies() {
            self.home.prepare(hierarchy)?;
        }
        let group = self.group(name);
        let made = group
            .places()
            .try_for_each(|place| create_folder(&place.folder))
            .and_then(|()| group.limit(limits));
        match made {
            Ok(()) => Ok(Some(group)),
            Err(error) => {
                group.remove();
                Err(error)
            }
        }
    }

    /// Ends all processes in groups of an earlier life and removes the groups.
    pub(super) fn end_leftovers(&self) {
        for name in self.names() {
            tracing::info!(group = %name, "ending what an earlier life of the node left in a cgroup");
            let group = self.group(&name);
            group.end_all();
            group.remove();
        }
    }

    fn names(&self) -> Vec<String> {
        let home = &self.home;
        let folders = home
            .hierarchies()
            .filter_map(|one| fs::read_dir(one.root.join(&home.folder)).ok())
            .flatten();
        let groups = folders.filter_map(|entry| {
            let entry = entry.ok()?;
            entry
                .file_type()
                .ok()?
                .is_dir()
                .then(|| entry.file_name().to_string_lossy().into_owned())
        });
        let mut names: Vec<String> = groups.collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn group(&self, name: &str) -> Cgroup {
        let place = |hierarchy: &Option<Hierarchy>| {
            let hierarchy = hierarchy.as_ref()?;
            let folder = hierarchy.root.join(&self.home.folder).join(name);
            Some(Place {
                folder,
                version: hierarchy.version,
            })
        };
        let Controllers {
            memory,
            cpu,
            cpu_time,
            pids,
        } = &self.home.controllers;
        Cgroup {
            _home: self.home.clone(),
            path: format!("/{}/{name}", self.home.folder),
            memory: place(memory),
            cpu: place(cpu),
            cpu_time: place(cpu_time),
            pids: place(pids),
        }
    }
}

impl Home {
    fn hierarchies(&self) -> impl Iterator<Item = &Hierarchy> {
        let Controllers {
            memory,
            cpu,
            cpu_time,
            pids,
        } = &self.controllers;
        [memory, cpu, cpu_time, pids].into_iter().flatten()
    }

    /// The node's own folder; in the second generation controllers have to be passed down to it and through it.
    fn prepare(&self, hierarchy: &Hierarchy) -> io::Result<()> {
        let own = hierarchy.root.join(&self.folder);
        create_folder(&own)?;
        if hierarchy.version == Version::One {
            return Ok(());
        }
        let Controllers {
            memory, cpu, pids, ..
        } = &self.controllers;
        for (name, home) in [("memory", memory), ("cpu", cpu), ("pids", pids)] {
            if home.as_ref() == Some(hierarchy) {
                for folder in [&hierarchy.root, &own] {
                    write(&folder.join("cgroup.subtree_control"), &format!("+{name}"))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for hierarchy in self.hierarchies() {
            // It stays when another node of the same state folder uses it, and is gone where it was shared.
            let _ = fs::remove_dir(hierarchy.root.join(&self.folder));
        }
    }
}

impl Cgroup {
    /// The files that a process writes itself into to enter the group.
    pub(super) fn entrances(&self) -> io::Result<Vec<OwnedFd>> {
        self.places()
            .map(|place| {
                Ok(File::options()
                    .write(true)
                    .open(place.folder.join("cgroup.procs"))?
                    .into())
            })
            .collect()
    }

    /// Ends every process of the group, also those that left their session and try to start others meanwhile. False
    /// when some do not end.
    pub(super) fn end_all(&self) -> bool {
        if let Some(pids) = &self.pids {
            // No new ones from here on.
            let _ = write(&pids.folder.join("pids.max"), "0");
        }
        end_all(|| self.processes())
    }

    /// Removes the group; its processes have ended. The kernel refuses for a moment after the last one.
    pub(super) fn remove(&self) {
        let limit = Instant::now() + END_LIMIT;
        for place in self.places() {
            loop {
                match fs::remove_dir(&place.folder) {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(error) if Instant::now() > limit => {
                        tracing::warn!(folder = %place.folder.display(), %error, "a cgroup cannot be removed");
                        break;
                    }
                    Err(_) => thread::sleep(LOOK_EVERY),
                }
            }
        }
    }

    /// How many processes the kernel ended because the group ran out of memory.
    pub(super) fn out_of_memory_kills(&self) -> u64 {
        let Some(place) = &self.memory else { return 0 };
        let events = match place.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        read(place, events)
            .and_then(|text| value_of(&text, "oom_kill"))
            .unwrap_or(0)
    }

    /// What the group uses; none without both accounts.
    pub(super) fn usage(&self) -> Option<Usage> {
        let (memory, cpu_time) = (self.memory.as_ref()?, self.cpu_time.as_ref()?);
        let (cpu, cpu_user, cpu_system) = account::cpu_time(cpu_time.version, |file| read(cpu_time, file))?;
        let throttling = self.cpu.as_ref();
        let threads = self.pids.as_ref().and_then(|place| read(place, "pids.current"));
        Some(Usage {
            cpu,
            cpu_user,
            cpu_system,
            throttling: throttling
                .and_then(|place| account::throttling(place.version, |file| read(place, file))),
            memory: account::memory(memory.version, |file| read(memory, file))?,
            processes: read(memory, "cgroup.procs").map(|list| list.lines().count() as u64),
            threads: threads.and_then(|text| text.trim().parse().ok()),
        })
    }

    /// Its path below the root of its hierarchies.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn limit(&self, limits: &Limits) -> io::Result<()> {
        let parts = [
            (Part::Memory, &self.memory),
            (Part::Cpu, &self.cpu),
            (Part::Pids, &self.pids),
        ];
        for (part, place) in parts {
            let Some(place) = place else { continue };
            for setting in limits.settings(part, place.version) {
                match write(&place.folder.join(setting.file), &setting.value) {
                    Err(error) if !setting.optional => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn processes(&self) -> Vec<Pid> {
        let lists = self.places().filter_map(|place| read(place, "cgroup.procs"));
        let mut found: Vec<i32> = lists.flat_map(|list| numbers(&list)).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().filter_map(Pid::from_raw).collect()
    }

    /// Each folder once, although controllers may share it.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let all = [&self.memory, &self.cpu, &self.cpu_time, &self.pids];
        (0..all.len()).filter_map(move |at| all[at].as_ref().filter(|_| !all[..at].contains(&all[at])))
    }
}

fn numbers(list: &str) -> Vec<i32> {
    // Zero stands for processes of other PID namespaces, which have no number here.
    list.lines()
        .filter_map(|line| line.parse().ok())
        .filter(|number| *number > 0)
        .collect()
}

/// The number behind a name in a file of names and numbers.
fn value_of(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn create_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(named(folder, &error)),
        _ => Ok(()),
    }
}

fn read(place: &Place, file: &str) -> Option<String> {
    fs::read_to_string(place.folder.join(file)).ok()
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    fs::write(path, value).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// FNV-1a: short and the same in every version of this program.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_state_folders_have_two_folders_of_groups() {
        let of = |path: &str| {
            Cgroups::new(Controllers::none(), Path::new(path))
                .home
                .folder
                .clone()
        };
        assert_eq!(of("/var/lib/a"), of("/var/lib/a"));
        assert_ne!(of("/var/lib/a"), of("/var/lib/b"));
    }

    #[test]
    fn numbers_are_found_by_their_whole_name() {
        let text = "low 1\noom 3\noom_kill 2\n";
        assert_eq!(value_of(text, "oom_kill"), Some(2));
        assert_eq!(value_of(text, "oom"), Some(3));
        assert_eq!(value_of(text, "max"), None);
    }

    #[test]
    fn processes_of_other_namespaces_are_left_alone() {
        assert_eq!(numbers("12\n0\n7\n"), [12, 7]);
    }

    #[test]
    fn a_folder_that_controllers_share_counts_once() {
        let group = Cgroups::new(Controllers::all_for_tests(), Path::new("/x")).group("one");
        assert_eq!(group.places().count(), 1);
    }
}
