//! What the process takes from the machine, read from `/proc` when somebody asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Ticks in a second in `/proc/PID/stat`: the kernel's promise to programs, on every processor.
const TICKS: f64 = 100.0;

/// This process.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let stat = Stat::read(&read("/proc/self/stat"));
        let status = read("/proc/self/status");
        let boot = line(&read("/proc/stat"), "btime ").unwrap_or_default();
        let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let cpu = encoder.encode_descriptor(
            "process_cpu_seconds",
            "Seconds of user and system time",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(stat.cpu_seconds).encode(cpu)?;
        #[expect(clippy::cast_precision_loss, reason = "these are small against 2^53")]
        let gauges = [
            (
                "process_start_time_seconds",
                "Start of the process in seconds since 1970",
                boot as f64 + stat.start_seconds,
            ),
            (
                "process_resident_memory_bytes",
                "Resident memory",
                line(&status, "VmRSS:").unwrap_or_default() as f64 * 1024.0,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory",
                line(&status, "VmSize:").unwrap_or_default() as f64 * 1024.0,
            ),
            ("process_open_fds", "Open file descriptors", open as f64),
        ];
        for (name, help, value) in gauges {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        Ok(())
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
