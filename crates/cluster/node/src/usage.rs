//! What a running container has used, in values: made by a runtime, told by the server. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::runtime::{ContainerId, ContainerPlace};

/// What a container uses at this moment. What is `None` the machine does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// CPU time since its start.
    pub cpu: Duration,
    /// The part of `cpu` in the program itself.
    pub cpu_user: Option<Duration>,
    /// The part of `cpu` in the kernel.
    pub cpu_system: Option<Duration>,
    /// How its limit on CPU has held it up.
    pub throttling: Option<Throttling>,
    /// Memory.
    pub memory: Memory,
    /// Processes that live.
    pub processes: Option<u64>,
    /// Their threads.
    pub threads: Option<u64>,
}

/// What a limit on CPU has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Throttling {
    /// Spans of time in which it ran, or wanted to.
    pub periods: u64,
    /// Those of them in which it used up what it may have.
    pub throttled_periods: u64,
    /// How long it had to wait.
    pub throttled: Duration,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// All that it holds, the files among it that the kernel keeps for it.
    pub usage_bytes: u64,
    /// Without what the kernel would give up first: what counts against a limit in the end.
    pub working_set_bytes: u64,
    /// Memory of its own that is no file.
    pub rss_bytes: Option<u64>,
    /// Files that the kernel keeps for it.
    pub cache_bytes: Option<u64>,
    /// Files that it has mapped.
    pub mapped_file_bytes: Option<u64>,
    /// What lies in swap.
    pub swap_bytes: Option<u64>,
    /// The most that it ever held.
    pub max_usage_bytes: Option<u64>,
    /// How often it met its limit.
    pub limit_hits: Option<u64>,
    /// How many of its processes the kernel ended because there was none left.
    pub out_of_memory_kills: Option<u64>,
    /// Page faults, and those among them that had to read from a disk.
    pub faults: Option<(u64, u64)>,
}

/// What a container may use; `None` is without a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Microseconds of CPU in each `cpu_period_us`.
    pub cpu_quota_us: Option<u64>,
    /// The span of time that the quota is for.
    pub cpu_period_us: u64,
    /// Shares of CPU when there is not enough for everybody; 1,024 stand for one CPU.
    pub cpu_shares: u64,
    /// Processes and threads together.
    pub pids: Option<u64>,
}

/// A running container with what it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which one.
    pub id: ContainerId,
    /// Whose.
    pub place: ContainerPlace,
    /// The image that its Pod names.
    pub image: String,
    /// The path of its cgroup below the hierarchy's root, or a made-up one where it has none.
    pub group: String,
    /// Since when it runs.
    pub started: Timestamp,
    /// What it may use.
    pub allowance: Allowance,
    /// What it uses.
    pub usage: Usage,
}
