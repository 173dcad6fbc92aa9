//! Records of running containers, for a node that was killed: its next life ends what is left of them.
//!
//! A record is one file per container, there exactly as long as the container runs. What it names is ended only
//! when it is certainly that container: numbers of processes come back, together with their start they do not.

use std::{
    fs, io,
    net::Ipv4Addr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::{
    ending::{LOOK_EVERY, end_all},
    table,
};

/// How long a process may show no environment, or one that changes, until it is taken for another Pod's.
const EXEC_LIMIT: Duration = Duration::from_millis(100);
/// How often an environment has to be found as it was before, in a row, to be believed.
const SAME_LOOKS: u32 = 3;

/// What identifies the first process of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pid: i32,
    /// In ticks since the machine started.
    start_ticks: u64,
    /// The machine's own name for the time since it started.
    boot: String,
    /// The Pod's address; processes carry it in their environment.
    address: Ipv4Addr,
}

/// The folder of records.
#[derive(Debug, Clone)]
pub(super) struct Records {
    folder: PathBuf,
}

impl Record {
    /// Of a process that runs; none when it has ended and is gone.
    pub(super) fn of(pid: Pid, address: Ipv4Addr) -> Option<Self> {
        let start_ticks = table::entry(pid)?.start_ticks;
        Some(Self {
            pid: pid.as_raw_pid(),
            start_ticks,
            boot: boot(),
            address,
        })
    }

    /// The living processes of the container that this names.
    fn processes(&self) -> Vec<Pid> {
        let Some(leader) = Pid::from_raw(self.pid) else {
            return Vec::new();
        };
        if self.boot != boot() {
            return Vec::new();
        }
        let members = table::of_session(leader).into_iter().map(|entry| entry.pid);
        match table::entry(leader) {
            Some(entry) if entry.start_ticks == self.start_ticks => members.collect(),
            Some(_) => Vec::new(),
            // The first process is gone, and others may have had its number since: they have to name our Pod.
            None => members
                .filter(|member| names_address(*member, self.address))
                .collect(),
        }
    }
}

impl Records {
    pub(super) fn open(state_dir: &Path) -> io::Result<Self> {
        let folder = state_dir.join("run");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        Ok(Self { folder })
    }

    /// Remembers a container. Without its record it runs as well, and only a killed node would miss it.
    pub(super) fn write(&self, id: &str, record: &Record) -> io::Result<()> {
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(id))?;
        serde_json::to_writer(file, record).map_err(io::Error::other)
    }

    /// Forgets a container.
    pub(super) fn remove(&self, id: &str) {
        let _ = fs::remove_file(self.path(id));
    }

    /// Ends what is left of every container on record and forgets it.
    pub(super) fn end_leftovers(&self) {
        let Ok(files) = fs::read_dir(&self.folder) else {
            return;
        };
        for path in files.filter_map(|file| Some(file.ok()?.path())) {
            // A record cut short by a crash names nothing.
            let record = fs::read(&path)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
            if let Some(record) = record {
                end(&record);
            }
            let _ = fs::remove_file(&path);
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }
}

/// Ends a recorded container; where cgroups are, they have ended its detached processes already.
fn end(record: &Record) {
    if record.processes().is_empty() {
        return;
    }
    tracing::info!(
        pid = record.pid,
        "ending a container that an earlier life of the node left"
    );
    if !end_all(|| record.processes()) {
        tracing::warn!(
            pid = record.pid,
            "a container of an earlier life does not end even when killed"
        );
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Whether the environment of a process names a Pod by its address. One that is just becoming another program (`execve`)
/// shows nothing of it, or a part: what does not name it is looked at until it stays the same.
fn names_address(pid: Pid, address: Ipv4Addr) -> bool {
    let wanted = format!("POD_IP={address}");
    let file = format!("/proc/{}/environ", pid.as_raw_pid());
    let limit = Instant::now() + EXEC_LIMIT;
    let (mut last, mut same) = (Vec::new(), 0);
    loop {
        let environment = fs::read(&file).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if variables.any(|one| one == wanted.as_bytes()) {
            return true;
        }
        same = if environment == last && !last.is_empty() {
            same + 1
        } else {
            0
        };
        let is_over = table::entry(pid).is_none_or(|entry| entry.ended);
        if same == SAME_LOOKS || is_over || Instant::now() > limit {
            return false;
        }
        last = environment;
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead as _, BufReader},
        os::unix::fs::PermissionsExt as _,
        process::{Command, Stdio},
    };

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 64, 3, 4);

    #[test]
    fn records_are_private_and_come_back() {
        let folder = tempfile::tempdir().expect("folder");
        let records = Records::open(folder.path()).expect("records");
        let record = Record::of(rustix::process::getpid(), ADDRESS).expect("we run");
        records.write("one", &record).expect("written");
        let file = folder.path().join("run/one.json");
        assert_eq!(
            file.metadata().expect("there").permissions().mode() & 0o777,
            0o600
        );
        let back: Record = serde_json::from_slice(&fs::read(&file).expect("read")).expect("parsed");
        assert_eq!(back, record);
        records.remove("one");
        assert!(!file.exists());
    }

    #[test]
    fn a_number_that_passed_to_another_process_is_left_alone() {
        let mut record = Record::of(rustix::process::getpid(), ADDRESS).expect("we run");
        record.start_ticks += 1;
        assert_eq!(record.processes(), []);
    }

    #[test]
    fn what_ran_before_the_machine_started_is_left_alone() {
        let mut record = Record::of(rustix::process::getpid(), ADDRESS).expect("we run");
        record.boot = "another".to_owned();
        assert_eq!(record.processes(), []);
    }

    /// A session whose leader has ended and left a process behind: its record and that process.
    fn orphan() -> (Record, Pid) {
        let mut leader = Command::new("setsid")
            .args(["sh", "-c", "sleep 1000 >/dev/null & echo $!; read line"])
            .env("POD_IP", ADDRESS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        BufReader::new(leader.stdout.take().expect("output"))
            .read_line(&mut line)
            .expect("a number");
        let pid = i32::try_from(leader.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("pid");
        let record = Record::of(pid, ADDRESS).expect("it runs");
        leader.wait().expect("ended");
        (
            record,
            line.trim().parse().ok().and_then(Pid::from_raw).expect("pid"),
        )
    }

    fn lives(pid: Pid) -> bool {
        table::entry(pid).is_some_and(|entry| !entry.ended)
    }

    #[test]
    fn what_outlived_its_first_process_is_known_by_its_address() {
        let (record, orphan) = orphan();
        let other = Record {
            address: Ipv4Addr::new(127, 64, 3, 5),
            ..record.clone()
        };
        end(&other);
        assert!(lives(orphan), "it is another Pod's");
        end(&record);
        assert!(!lives(orphan));
    }

    #[test]
    fn who_becomes_another_program_again_and_again_is_known_all_the_time() {
        let folder = tempfile::tempdir().expect("folder");
        let script = folder.path().join("again");
        fs::write(&script, "exec sh \"$0\"\n").expect("written");
        let mut process = Command::new("sh")
            .arg(&script)
            .env("POD_IP", ADDRESS.to_string())
            .spawn()
            .expect("started");
        let pid = i32::try_from(process.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("pid");
        let known = (0..2_000).all(|_| names_address(pid, ADDRESS));
        process.kill().expect("it runs");
        process.wait().expect("ended");
        assert!(known);
    }

    #[test]
    fn broken_records_are_forgotten() {
        let folder = tempfile::tempdir().expect("folder");
        let records = Records::open(folder.path()).expect("records");
        let file = folder.path().join("run/half.json");
        fs::write(&file, b"{\"pid\": 1").expect("written");
        records.end_leftovers();
        assert!(!file.exists());
    }
}
