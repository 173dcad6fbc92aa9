//! The kernel's table of processes, as far as the runtime reads it: who belongs to which session, since when, and
//! what it uses.

use std::{fs, time::Duration};

use rustix::process::Pid;

/// The unit of times in `/proc`, per second; the same on every Linux that we run on (time(7), `USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: Pid,
    pub(super) session: i32,
    /// Whether it has ended and only waits for its parent to notice.
    pub(super) ended: bool,
    pub(super) cpu: Duration,
    /// When it started, in ticks since the machine did: with the process id it names one process for good.
    pub(super) start_ticks: u64,
}

/// One process; none when there is none of that number.
pub(super) fn entry(pid: Pid) -> Option<Entry> {
    parse(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?)
}

/// The living processes of a session. A container is a session of its own, and a process leaves it only by starting
/// one itself.
pub(super) fn of_session(leader: Pid) -> Vec<Entry> {
    let Ok(folders) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    folders
        .filter_map(|folder| folder.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|number| entry(Pid::from_raw(number)?))
        .filter(|entry| entry.session == leader.as_raw_pid() && !entry.ended)
        .collect()
}

/// Memory that a process holds, in bytes.
pub(super) fn memory_bytes(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes << 10)
}

/// Reads `/proc/PID/stat` (`proc_pid_stat(5)`). The name in parentheses may hold spaces and parentheses itself.
fn parse(text: &str) -> Option<Entry> {
    let (pid, rest) = text.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Fields are counted from 3 here, the state; times are fields 14 and 15, the start is 22.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = number(14)? + number(15)?;
    Some(Entry {
        pid: Pid::from_raw(pid.parse().ok()?)?,
        session: fields.get(6 - 3)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X"),
        cpu: Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)),
        start_ticks: number(22)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_hides_nothing() {
        let text = "42 (a) Z (b)) S 1 42 41 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 9876 1000 10";
        let entry = parse(text).expect("parsed");
        assert_eq!(
            (entry.pid.as_raw_pid(), entry.session, entry.ended),
            (42, 41, false)
        );
        assert_eq!((entry.cpu, entry.start_ticks), (Duration::from_secs(3), 9876));
    }

    #[test]
    fn we_are_in_the_table_ourselves() {
        let own = rustix::process::getpid();
        assert!(entry(own).is_some_and(|entry| entry.pid == own && entry.start_ticks > 0));
        assert!(memory_bytes(own).is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn broken_lines_are_no_process() {
        for text in ["", "42", "42 (x", "42 (x) S", "0 (x) S 1 1 1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
