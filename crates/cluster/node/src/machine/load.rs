//! What the machine as a whole uses, from the roots of its cgroups where they tell, else from `/proc`.

use std::{fs, time::Duration};

use crate::{process::Controllers, usage::Memory};

/// The unit of times in `/proc/stat`, per second (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// What the machine uses at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Load {
    /// CPU time that was not idle, since the machine's start.
    pub(crate) cpu: Duration,
    pub(crate) memory: Memory,
    pub(crate) interfaces: Vec<Interface>,
    /// The machine's start, in seconds since 1970.
    pub(crate) boot_seconds: u64,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) received: Traffic,
    pub(crate) sent: Traffic,
}

/// What went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) errors: u64,
    pub(crate) dropped: u64,
}

impl Load {
    /// Looks at the machine. What it does not tell is zero.
    pub(crate) fn read(controllers: &Controllers) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let stat = read("/proc/stat");
        let cpu = controllers.cpu_time_of_all();
        let memory = controllers.memory_of_all();
        Self {
            cpu: cpu.unwrap_or_else(|| busy(&stat)),
            memory: memory.unwrap_or_else(|| held(&read("/proc/meminfo"))),
            interfaces: read("/proc/net/dev").lines().filter_map(interface).collect(),
            boot_seconds: after(&stat, "btime ").unwrap_or(0),
        }
    }
}

/// Time of all processors that was neither idle nor waiting for disks (`proc_stat(5)`). That of guests is in `user`.
fn busy(stat: &str) -> Duration {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    let fields: Vec<u64> = line
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter_map(|field| field.parse().ok())
        .collect();
    let ticks: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum();
    Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND))
}

/// What is not free, as cAdvisor counts it where the root of the cgroups does not.
fn held(meminfo: &str) -> Memory {
    let bytes = |name| after(meminfo, name).map(|kibibytes| kibibytes << 10);
    let usage = bytes("MemTotal:")
        .unwrap_or(0)
        .saturating_sub(bytes("MemFree:").unwrap_or(0));
    let inactive = bytes("Inactive(file):").unwrap_or(0);
    Memory {
        usage_bytes: usage,
        working_set_bytes: usage.saturating_sub(inactive),
        rss_bytes: bytes("AnonPages:"),
        cache_bytes: bytes("Cached:"),
        mapped_file_bytes: bytes("Mapped:"),
        swap_bytes: bytes("SwapTotal:")
            .zip(bytes("SwapFree:"))
            .map(|(total, free)| total.saturating_sub(free)),
        ..Memory::default()
    }
}

/// One line of `/proc/net/dev`; none for its heads.
fn interface(line: &str) -> Option<Interface> {
    let (name, rest) = line.split_once(':')?;
    let fields: Vec<u64> = rest
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    let traffic = |from: usize| {
        Some(Traffic {
            bytes: *fields.get(from)?,
            packets: *fields.get(from + 1)?,
            errors: *fields.get(from + 2)?,
            dropped: *fields.get(from + 3)?,
        })
    };
    Some(Interface {
        name: name.trim().to_owned(),
        received: traffic(0)?,
        sent: traffic(8)?,
    })
}

fn after(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_and_waiting_for_disks_are_not_use() {
        let stat = "cpu  100 20 30 9999 777 1 2 3 50 0\ncpu0 1 1 1 1\nbtime 1700000000\n";
        assert_eq!(busy(stat), Duration::from_millis(1560));
        assert_eq!(after(stat, "btime "), Some(1_700_000_000));
        assert_eq!(busy("nonsense"), Duration::ZERO);
    }

    #[test]
    fn files_that_were_not_used_lately_are_no_part_of_the_working_set() {
        let text =
            "MemTotal: 1000 kB\nMemFree: 400 kB\nInactive(file): 100 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n";
        let memory = held(text);
        assert_eq!(
            (memory.usage_bytes, memory.working_set_bytes),
            (600 << 10, 500 << 10)
        );
        assert_eq!(memory.swap_bytes, Some(6 << 10));
    }

    #[test]
    fn interfaces_are_read_and_heads_are_not() {
        let found = interface(" eth0: 10 2 0 1 0 0 0 0 20 3 4 5 0 0 0 0").expect("interface");
        assert_eq!(found.name, "eth0");
        assert_eq!((found.received.bytes, found.received.dropped), (10, 1));
        assert_eq!((found.sent.bytes, found.sent.errors), (20, 4));
        assert_eq!(interface(" face |bytes    packets errs"), None);
        assert_eq!(interface("x: y"), None);
    }

    #[test]
    fn this_machine_tells_something() {
        let load = Load::read(&Controllers::detect());
        assert!(load.cpu > Duration::ZERO && load.boot_seconds > 0);
        assert!(load.memory.usage_bytes > 0 && load.memory.working_set_bytes <= load.memory.usage_bytes);
    }
}
