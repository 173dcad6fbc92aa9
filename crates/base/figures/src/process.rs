//! What a process takes from the machine, read from `/proc` when somebody asks, and which version of the program it is.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use toolforge_exposition::{Declared, Label};

use crate::describe;

/// Ticks in a second in `/proc/PID/stat`: the kernel's promise to programs, on every processor.
const TICKS: f64 = 100.0;

const CPU: Declared = Declared::counter(
    "process_cpu_seconds_total",
    "User and system time of the process",
    &[],
);
const STARTED: Declared = Declared::gauge("process_start_time_seconds", "Start of the process", &[]);
const RESIDENT: Declared = Declared::gauge(
    "process_resident_memory_bytes",
    "Resident memory of the process",
    &[],
);
const VIRTUAL: Declared = Declared::gauge(
    "process_virtual_memory_bytes",
    "Virtual memory of the process",
    &[],
);
const OPEN: Declared = Declared::gauge("process_open_fds", "Open file descriptors of the process", &[]);
const MOST_OPEN: Declared = Declared::gauge(
    "process_max_fds",
    "How many file descriptors the process may have open",
    &[],
);
const BUILD: Declared = Declared::gauge(
    "toolforge_build_info",
    "Always 1, with the version of the program",
    &[Label::new("version", "one for each process")],
);

/// What is told of a process.
pub const PROCESS: &[Declared] = &[CPU, STARTED, RESIDENT, VIRTUAL, OPEN, MOST_OPEN, BUILD];

/// Whose the process is. Figures of a process that several components share stand once, where one of them owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// The component's own, to be told with its figures.
    Own,
    /// Another component's, which tells of it.
    Shared,
}

impl Process {
    /// Lets a component's registry tell of the process, where it is the component's own.
    pub fn register(self, registry: &mut Registry) {
        if self == Self::Own {
            registry.register_collector(Box::new(Reading));
        }
    }
}

/// This process, when somebody asks.
#[derive(Debug)]
struct Reading;

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let stat = Stat::read(&read("/proc/self/stat"));
        let status = read("/proc/self/status");
        let boot = line(&read("/proc/stat"), "btime ").unwrap_or_default();
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let most_open = line(&read("/proc/self/limits"), "Max open files ").unwrap_or_default();
        ConstCounter::new(stat.cpu_seconds).encode(describe(&mut encoder, &CPU)?)?;
        #[expect(clippy::cast_precision_loss, reason = "these are small against 2^53")]
        let gauges = [
            (STARTED, boot as f64 + stat.start_seconds),
            (
                RESIDENT,
                line(&status, "VmRSS:").unwrap_or_default() as f64 * 1024.0,
            ),
            (
                VIRTUAL,
                line(&status, "VmSize:").unwrap_or_default() as f64 * 1024.0,
            ),
            (OPEN, open as f64),
            (MOST_OPEN, most_open as f64),
        ];
        for (family, value) in gauges {
            ConstGauge::new(value).encode(describe(&mut encoder, &family)?)?;
        }
        let mut build = describe(&mut encoder, &BUILD)?;
        ConstGauge::new(1_i64).encode(build.encode_family(&[("version", env!("CARGO_PKG_VERSION"))])?)
    }
}

/// The first number after a word at the beginning of a line.
fn line(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[derive(Debug, Default, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    /// After the machine's start.
    start_seconds: f64,
}

impl Stat {
    /// Reads `/proc/PID/stat`. The second field is a name in parentheses that may hold anything.
    fn read(text: &str) -> Self {
        let after = text.rsplit_once(')').map_or("", |(_, after)| after);
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks = |number: usize| -> f64 {
            // The first field after the name has number 3.
            let field = fields.get(number - 3).and_then(|field| field.parse::<f64>().ok());
            field.unwrap_or_default() / TICKS
        };
        Self {
            cpu_seconds: ticks(14) + ticks(15),
            start_seconds: ticks(22),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_where_it_is_the_components_own() {
        let text = |process: Process| {
            let mut registry = Registry::default();
            process.register(&mut registry);
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        let own = text(Process::Own);
        assert!(
            toolforge_exposition::undeclared(&own, PROCESS).is_empty(),
            "{own}"
        );
        for sample in toolforge_exposition::samples(&own) {
            let sample = sample.unwrap();
            // A test is over before it has taken a hundredth of a second.
            assert!(sample.value > 0.0 || sample.name == CPU.name, "{sample:?}");
        }
        for family in PROCESS {
            assert!(
                own.contains(&format!("\n{}", family.name)),
                "{} in {own}",
                family.name
            );
        }
        assert_eq!(text(Process::Shared), "# EOF\n");
    }

    #[test]
    fn reads_times_whatever_the_name_is() {
        let text = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 9 0 1000 4096 1";
        let expected = Stat {
            cpu_seconds: 4.0,
            start_seconds: 10.0,
        };
        assert_eq!(Stat::read(text), expected);
        assert_eq!(Stat::read("nonsense"), Stat::default());
        assert_eq!(line("VmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
    }
}
