//! From a container's resources to what is written into its cgroup's files. Pure.

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity as Written,
};
use toolforge_model::Quantity;

use super::controllers::Version;
use crate::{runtime::CreateError, usage::Allowance};

/// Most processes and threads of one container: enough for any server, too few for a fork bomb to hurt others.
const PROCESSES: u64 = 512;
/// The span of time that CPU limits are kept in, in microseconds: the kernel's own default.
const PERIOD_US: u64 = 100_000;
/// The shortest CPU time per period that the kernel takes, in microseconds.
const LEAST_QUOTA_US: u64 = 1_000;
/// The fewest and most shares of CPU that the kernel takes; 1,024 stand for one CPU.
const SHARES: (u64, u64) = (2, 262_144);
/// Less memory than this cannot run any program, in bytes.
const LEAST_MEMORY_BYTES: u64 = 512 << 10;

/// What a container may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limits {
    pub(super) memory_bytes: Option<u64>,
    pub(super) cpu_millis: Option<u64>,
    /// What it asks for; decides who gets how much when CPU is short.
    pub(super) cpu_request_millis: Option<u64>,
}

/// Which controller a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Memory,
    Cpu,
    Pids,
}

/// One value for one file of a cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) file: &'static str,
    pub(super) value: String,
    /// Whether a container may run without it, because kernels differ in having it.
    pub(super) optional: bool,
}

impl Limits {
    /// Reads a container's `resources`.
    pub(super) fn of(resources: Option<&ResourceRequirements>) -> Result<Self, CreateError> {
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        let requests = resources.and_then(|resources| resources.requests.as_ref());
        let memory = read("limits.memory", limits.and_then(|limits| limits.get("memory")))?;
        let cpu = read("limits.cpu", limits.and_then(|limits| limits.get("cpu")))?;
        let request = read("requests.cpu", requests.and_then(|requests| requests.get("cpu")))?;
        Ok(Self {
            memory_bytes: memory.map(|memory| natural(memory.units()).max(LEAST_MEMORY_BYTES)),
            cpu_millis: cpu.map(|cpu| natural(cpu.millis())),
            cpu_request_millis: request.or(cpu).map(|request| natural(request.millis())),
        })
    }

    /// The same in the kernel's own units.
    pub(super) fn allowance(&self) -> Allowance {
        Allowance {
            memory_bytes: self.memory_bytes,
            cpu_quota_us: self.cpu_quota_us(),
            cpu_period_us: PERIOD_US,
            cpu_shares: self.cpu_shares(),
            pids: Some(PROCESSES),
        }
    }

    fn cpu_quota_us(&self) -> Option<u64> {
        let quota = self.cpu_millis?.saturating_mul(PERIOD_US) / 1000;
        Some(quota.max(LEAST_QUOTA_US))
    }

    fn cpu_shares(&self) -> u64 {
        let asked = self.cpu_request_millis.unwrap_or(0).saturating_mul(1024) / 1000;
        asked.clamp(SHARES.0, SHARES.1)
    }

    /// What to write for one controller, in this order.
    pub(super) fn settings(&self, part: Part, version: Version) -> Vec<Setting> {
        match part {
            Part::Memory => self
                .memory_bytes
                .map(|bytes| memory(bytes, version))
                .unwrap_or_default(),
            Part::Cpu => self.cpu(version),
            Part::Pids => vec![needed("pids.max", PROCESSES.to_string())],
        }
    }

    fn cpu(&self, version: Version) -> Vec<Setting> {
        let shares = self.cpu_shares();
        let mut settings = match version {
            Version::One => vec![optional("cpu.shares", shares.to_string())],
            // The kernel's weights go from 1 to 10,000; the line is the one that container runtimes agreed on.
            Version::Two => vec![optional(
                "cpu.weight",
                (1 + (shares - 2) * 9999 / 262_142).to_string(),
            )],
        };
        if let Some(quota) = self.cpu_quota_us() {
            match version {
                Version::One => settings.extend([
                    needed("cpu.cfs_period_us", PERIOD_US.to_string()),
                    needed("cpu.cfs_quota_us", quota.to_string()),
                ]),
                Version::Two => settings.push(needed("cpu.max", format!("{quota} {PERIOD_US}"))),
            }
        }
        settings
    }
}

/// Swap counts as memory, and when memory runs out all of the container ends, as people know it from Kubernetes.
fn memory(bytes: u64, version: Version) -> Vec<Setting> {
    let value = bytes.to_string();
    match version {
        Version::One => vec![
            needed("memory.limit_in_bytes", value.clone()),
            optional("memory.memsw.limit_in_bytes", value),
        ],
        Version::Two => vec![
            needed("memory.max", value),
            optional("memory.swap.max", "0".to_owned()),
            optional("memory.oom.group", "1".to_owned()),
        ],
    }
}

fn needed(file: &'static str, value: String) -> Setting {
    Setting {
        file,
        value,
        optional: false,
    }
}

fn optional(file: &'static str, value: String) -> Setting {
    Setting {
        file,
        value,
        optional: true,
    }
}

fn read(field: &str, written: Option<&Written>) -> Result<Option<Quantity>, CreateError> {
    let Some(written) = written else { return Ok(None) };
    match written.0.parse::<Quantity>() {
        Ok(quantity) if quantity.is_zero() => Ok(None),
        Ok(quantity) if quantity > Quantity::default() => Ok(Some(quantity)),
        _ => Err(CreateError(format!(
            "resources.{field} is \"{}\", but has to be a quantity of zero or more, such as 500m or 512Mi",
            written.0
        ))),
    }
}

fn natural(number: i128) -> u64 {
    u64::try_from(number.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn limits(memory: &str, cpu: &str) -> Result<Limits, CreateError> {
        let entries = [("memory", memory), ("cpu", cpu)];
        let map: BTreeMap<_, _> = entries
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Written(value.to_owned())))
            .collect();
        Limits::of(Some(&ResourceRequirements {
            limits: Some(map),
            ..Default::default()
        }))
    }

    fn written(limits: Limits, part: Part, version: Version) -> Vec<(&'static str, String)> {
        limits
            .settings(part, version)
            .into_iter()
            .map(|setting| (setting.file, setting.value))
            .collect()
    }

    #[test]
    fn limits_become_the_values_of_the_first_generation() {
        let limits = limits("512Mi", "500m").expect("limits");
        assert_eq!(
            written(limits, Part::Memory, Version::One)[0],
            ("memory.limit_in_bytes", "536870912".to_owned())
        );
        let cpu = written(limits, Part::Cpu, Version::One);
        assert_eq!(cpu[0], ("cpu.shares", "512".to_owned()));
        assert_eq!(cpu[1], ("cpu.cfs_period_us", "100000".to_owned()));
        assert_eq!(cpu[2], ("cpu.cfs_quota_us", "50000".to_owned()));
        assert_eq!(
            written(limits, Part::Pids, Version::One),
            [("pids.max", "512".to_owned())]
        );
    }

    #[test]
    fn limits_become_the_values_of_the_second_generation() {
        let limits = limits("1G", "2").expect("limits");
        assert_eq!(
            written(limits, Part::Memory, Version::Two)[0],
            ("memory.max", "1000000000".to_owned())
        );
        let cpu = written(limits, Part::Cpu, Version::Two);
        assert_eq!(
            cpu,
            [
                ("cpu.weight", "79".to_owned()),
                ("cpu.max", "200000 100000".to_owned())
            ]
        );
    }

    #[test]
    fn without_limits_only_processes_are_counted() {
        let none = Limits::of(None).expect("nothing");
        assert_eq!(written(none, Part::Memory, Version::Two), []);
        assert_eq!(
            written(none, Part::Cpu, Version::One),
            [("cpu.shares", "2".to_owned())]
        );
    }

    #[test]
    fn tiny_limits_are_raised_to_what_the_kernel_takes() {
        let limits = limits("1", "1m").expect("limits");
        assert_eq!(limits.memory_bytes, Some(LEAST_MEMORY_BYTES));
        assert_eq!(written(limits, Part::Cpu, Version::Two)[1].1, "1000 100000");
    }

    #[test]
    fn what_is_no_quantity_is_named() {
        let refused = limits("lots", "1").expect_err("no quantity");
        assert!(
            refused.0.contains("limits.memory") && refused.0.contains("\"lots\""),
            "{refused}"
        );
    }
}
