//! From a cgroup's files to what it has used. Pure: the files are read by whoever asks.

use std::time::Duration;

use super::{super::controllers::Version, value_of};
use crate::usage::{Memory, Throttling};

/// The unit of `cpuacct.stat`, per second (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// CPU time: all of it, in programs, in the kernel.
type CpuTime = (Duration, Option<Duration>, Option<Duration>);

/// CPU time by a group's files; `read` gives the text of one.
pub(in crate::process) fn cpu_time(
    version: Version,
    read: impl Fn(&str) -> Option<String>,
) -> Option<CpuTime> {
    match version {
        Version::One => {
            let all = Duration::from_nanos(read("cpuacct.usage")?.trim().parse().ok()?);
            let parts = read("cpuacct.stat").unwrap_or_default();
            let ticks = |name| {
                value_of(&parts, name).map(|ticks| Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
            };
            Some((all, ticks("user"), ticks("system")))
        }
        Version::Two => {
            let text = read("cpu.stat")?;
            let micros = |name| value_of(&text, name).map(Duration::from_micros);
            Some((micros("usage_usec")?, micros("user_usec"), micros("system_usec")))
        }
    }
}

/// How a limit on CPU has held a group up.
pub(in crate::process) fn throttling(
    version: Version,
    read: impl Fn(&str) -> Option<String>,
) -> Option<Throttling> {
    let text = read("cpu.stat")?;
    let throttled = match version {
        Version::One => Duration::from_nanos(value_of(&text, "throttled_time")?),
        Version::Two => Duration::from_micros(value_of(&text, "throttled_usec")?),
    };
    Some(Throttling {
        periods: value_of(&text, "nr_periods")?,
        throttled_periods: value_of(&text, "nr_throttled")?,
        throttled,
    })
}

/// Memory by a group's files. The working set is what cAdvisor calls so: what is held, less files that were not used lately.
pub(in crate::process) fn memory(version: Version, read: impl Fn(&str) -> Option<String>) -> Option<Memory> {
    let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
    let text = read("memory.stat").unwrap_or_default();
    let named = |name: &str| value_of(&text, name);
    let (usage, inactive) = match version {
        Version::One => (number("memory.usage_in_bytes")?, named("total_inactive_file")),
        Version::Two => (number("memory.current")?, named("inactive_file")),
    };
    let events = match version {
        Version::One => String::new(),
        Version::Two => read("memory.events").unwrap_or_default(),
    };
    let working_set = usage.saturating_sub(inactive.unwrap_or(0));
    Some(match version {
        Version::One => Memory {
            usage_bytes: usage,
            working_set_bytes: working_set,
            rss_bytes: named("total_rss"),
            cache_bytes: named("total_cache"),
            mapped_file_bytes: named("total_mapped_file"),
            swap_bytes: named("total_swap"),
            max_usage_bytes: number("memory.max_usage_in_bytes"),
            limit_hits: number("memory.failcnt"),
            out_of_memory_kills: read("memory.oom_control").and_then(|text| value_of(&text, "oom_kill")),
            faults: named("total_pgfault").zip(named("total_pgmajfault")),
        },
        Version::Two => Memory {
            usage_bytes: usage,
            working_set_bytes: working_set,
            rss_bytes: named("anon"),
            cache_bytes: named("file"),
            mapped_file_bytes: named("file_mapped"),
            swap_bytes: number("memory.swap.current"),
            max_usage_bytes: number("memory.peak"),
            limit_hits: value_of(&events, "max"),
            out_of_memory_kills: value_of(&events, "oom_kill"),
            faults: named("pgfault").zip(named("pgmajfault")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(
        files: &'static [(&'static str, &'static str)],
    ) -> impl Fn(&str) -> Option<String> + Copy + 'static {
        move |wanted| {
            let found = files.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, text)| (*text).to_owned())
        }
    }

    #[test]
    fn the_first_generation_counts_in_nanoseconds_and_below_total() {
        let read = files(&[
            ("cpuacct.usage", "1500000000\n"),
            ("cpuacct.stat", "user 100\nsystem 50\n"),
            (
                "cpu.stat",
                "nr_periods 10\nnr_throttled 3\nthrottled_time 2000000000\n",
            ),
            ("memory.usage_in_bytes", "1000\n"),
            ("memory.failcnt", "4\n"),
            (
                "memory.stat",
                "cache 1\ntotal_cache 600\ntotal_rss 400\ntotal_inactive_file 250\n",
            ),
        ]);
        assert_eq!(
            cpu_time(Version::One, read),
            Some((
                Duration::from_millis(1500),
                Some(Duration::from_secs(1)),
                Some(Duration::from_millis(500))
            ))
        );
        let throttling = throttling(Version::One, read).expect("told");
        assert_eq!(
            (
                throttling.periods,
                throttling.throttled_periods,
                throttling.throttled
            ),
            (10, 3, Duration::from_secs(2))
        );
        let memory = memory(Version::One, read).expect("told");
        assert_eq!((memory.usage_bytes, memory.working_set_bytes), (1000, 750));
        assert_eq!((memory.rss_bytes, memory.cache_bytes), (Some(400), Some(600)));
        assert_eq!((memory.limit_hits, memory.swap_bytes), (Some(4), None));
    }

    #[test]
    fn the_second_generation_counts_in_microseconds() {
        let read = files(&[
            (
                "cpu.stat",
                "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
            ),
            ("memory.current", "1000\n"),
            ("memory.stat", "anon 400\nfile 600\ninactive_file 2000\n"),
            ("memory.events", "low 0\nmax 7\noom 1\n"),
        ]);
        let (all, user, _) = cpu_time(Version::Two, read).expect("told");
        assert_eq!(
            (all, user),
            (Duration::from_millis(1500), Some(Duration::from_secs(1)))
        );
        assert!(throttling(Version::Two, read).is_some());
        let memory = memory(Version::Two, read).expect("told");
        assert_eq!(memory.working_set_bytes, 0, "never below nothing");
        assert_eq!((memory.rss_bytes, memory.limit_hits), (Some(400), Some(7)));
    }

    #[test]
    fn a_group_that_is_gone_tells_nothing() {
        let nothing = files(&[]);
        for version in [Version::One, Version::Two] {
            assert_eq!(cpu_time(version, nothing), None);
            assert_eq!(throttling(version, nothing), None);
            assert_eq!(memory(version, nothing), None);
        }
    }
}
