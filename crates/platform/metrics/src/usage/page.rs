//! A node's `/metrics/resource`, read. Pure.

use std::collections::BTreeMap;

use toolforge_exposition::samples;

/// What was used until a moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    /// The moment, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Seconds of CPU since the start.
    pub(crate) cpu_seconds: f64,
    /// The working set.
    pub(crate) memory_bytes: f64,
    /// The start in milliseconds since 1970, where it is told.
    pub(crate) started_ms: Option<i64>,
}

/// Namespace, Pod and container.
pub(crate) type Container = (String, String, String);

/// One look at a node.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Look {
    pub(crate) node: Option<Point>,
    pub(crate) containers: BTreeMap<Container, Point>,
}

/// Reads a page that came at `now_ms`. Lines that are no figures are passed over, as are containers of which CPU or
/// memory is missing.
pub(crate) fn read(text: &str, now_ms: i64) -> Look {
    let mut node = Parts::default();
    let mut containers: BTreeMap<Container, Parts> = BTreeMap::new();
    for sample in samples(text).flatten().filter(|sample| sample.value.is_finite()) {
        let container = || {
            let label = |name| sample.label(name).to_owned();
            (label("namespace"), label("pod"), label("container"))
        };
        let at_ms = sample.at_ms.unwrap_or(now_ms);
        match sample.name {
            "node_cpu_usage_seconds_total" => node.cpu = Some((at_ms, sample.value)),
            "node_memory_working_set_bytes" => node.memory = Some(sample.value),
            "container_cpu_usage_seconds_total" => {
                containers.entry(container()).or_default().cpu = Some((at_ms, sample.value));
            }
            "container_memory_working_set_bytes" => {
                containers.entry(container()).or_default().memory = Some(sample.value);
            }
            "container_start_time_seconds" => {
                containers.entry(container()).or_default().started_seconds = Some(sample.value);
            }
            _ => {}
        }
    }
    let containers = containers.into_iter();
    Look {
        node: node.whole(),
        containers: containers
            .filter_map(|(container, parts)| Some((container, parts.whole()?)))
            .collect(),
    }
}

/// A point in the making.
#[derive(Debug, Default)]
struct Parts {
    cpu: Option<(i64, f64)>,
    memory: Option<f64>,
    started_seconds: Option<f64>,
}

impl Parts {
    fn whole(&self) -> Option<Point> {
        let (at_ms, cpu_seconds) = self.cpu?;
        Some(Point {
            at_ms,
            cpu_seconds,
            memory_bytes: self.memory?,
            started_ms: self.started_seconds.map(milliseconds),
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a time that does not fit is cut off, and is none of ours"
)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_its_times() {
        let text = "# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container=\"web\",namespace=\"n\",pod=\"p\"} 1.5 2000
container_memory_working_set_bytes{container=\"web\",namespace=\"n\",pod=\"p\"} 1e6 2000
container_start_time_seconds{container=\"web\",namespace=\"n\",pod=\"p\"} 1.25
container_cpu_usage_seconds_total{container=\"half\",namespace=\"n\",pod=\"p\"} 1.5 2000
node_cpu_usage_seconds_total 7
nonsense
node_memory_working_set_bytes 5
";
        let look = read(text, 3000);
        let container = ("n".to_owned(), "p".to_owned(), "web".to_owned());
        let point = Point {
            at_ms: 2000,
            cpu_seconds: 1.5,
            memory_bytes: 1e6,
            started_ms: Some(1250),
        };
        assert_eq!(look.containers, BTreeMap::from([(container, point)]));
        assert_eq!(
            look.node.map(|node| (node.at_ms, node.started_ms)),
            Some((3000, None))
        );
    }
}
