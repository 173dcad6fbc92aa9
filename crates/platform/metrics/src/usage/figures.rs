//! From looks at a node to what is used per second. Pure.

use std::collections::BTreeMap;

use super::page::{Container, Look, Point};

/// Windows are no shorter.
const SHORTEST_WINDOW_MS: i64 = 900;
/// Nor are they shorter than this, once there are looks that are so far apart: what is measured shortly jumps about.
const STEADY_WINDOW_MS: i64 = 10_000;
/// A container that is younger is measured from its start; what is older may have been anything before it was looked at.
const YOUNG_MS: i64 = 60_000;
/// Figures that are older are nobody's any more: three looks have failed.
const STALE_MS: i64 = 50_000;

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// CPUs.
    pub(crate) cpu: f64,
    pub(crate) memory_bytes: f64,
    /// The end of the window.
    pub(crate) at_ms: i64,
    pub(crate) window_ms: i64,
}

/// What is kept of the looks at one thing. However often it is looked at, windows stay between one and two steady ones
/// and the pause between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Track {
    /// The beginning of the window, a steady one before `middle`.
    earlier: Option<Point>,
    /// The beginning of the next window.
    middle: Point,
    latest: Point,
}

impl Track {
    fn new(first: Point) -> Self {
        Self {
            earlier: None,
            middle: first,
            latest: first,
        }
    }

    fn with(self, point: Point) -> Self {
        let is_other =
            point.started_ms != self.latest.started_ms || point.cpu_seconds < self.latest.cpu_seconds;
        if is_other || point.at_ms < self.latest.at_ms {
            Self::new(point)
        } else if point.at_ms - self.middle.at_ms < STEADY_WINDOW_MS {
            Self {
                latest: point,
                ..self
            }
        } else {
            Self {
                earlier: Some(self.middle),
                middle: point,
                latest: point,
            }
        }
    }

    fn figures(&self, now_ms: i64) -> Option<Figures> {
        let latest = self.latest;
        if now_ms - latest.at_ms > STALE_MS {
            return None;
        }
        let from_start = || {
            let at_ms = latest.started_ms?;
            let age = latest.at_ms - at_ms;
            (SHORTEST_WINDOW_MS..YOUNG_MS).contains(&age).then_some(Point {
                at_ms,
                ..Point::default()
            })
        };
        let from_middle = || (latest.at_ms - self.middle.at_ms >= SHORTEST_WINDOW_MS).then_some(self.middle);
        let earlier = self.earlier.or_else(from_start).or_else(from_middle)?;
        let window_ms = latest.at_ms - earlier.at_ms;
        #[expect(clippy::cast_precision_loss, reason = "windows are seconds")]
        let seconds = window_ms as f64 / 1000.0;
        (window_ms > 0).then(|| Figures {
            cpu: (latest.cpu_seconds - earlier.cpu_seconds) / seconds,
            memory_bytes: latest.memory_bytes,
            at_ms: latest.at_ms,
            window_ms,
        })
    }
}

/// What is known of one node.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeUsage {
    node: Option<Track>,
    containers: BTreeMap<Container, Track>,
}

impl NodeUsage {
    /// Adds a look; what it does not show is gone.
    pub(crate) fn add(&mut self, look: Look) {
        let tracked = |before: Option<Track>, point: Point| match before {
            Some(before) => before.with(point),
            None => Track::new(point),
        };
        self.node = look.node.map(|point| tracked(self.node, point));
        let before = std::mem::take(&mut self.containers);
        let containers = look.containers.into_iter();
        self.containers = containers
            .map(|(container, point)| {
                let track = tracked(before.get(&container).copied(), point);
                (container, track)
            })
            .collect();
    }

    /// What the node uses.
    pub(crate) fn node(&self, now_ms: i64) -> Option<Figures> {
        self.node?.figures(now_ms)
    }

    /// What the containers of a Pod use, by name. Those that there are no figures of yet are missing.
    pub(crate) fn pod(&self, namespace: &str, pod: &str, now_ms: i64) -> Vec<(&str, Figures)> {
        let first = (namespace.to_owned(), pod.to_owned(), String::new());
        self.containers
            .range(first..)
            .take_while(|((its_namespace, its_pod, _), _)| its_namespace == namespace && its_pod == pod)
            .filter_map(|((_, _, container), track)| Some((container.as_str(), track.figures(now_ms)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ms: i64, cpu_seconds: f64, started_ms: Option<i64>) -> Point {
        Point {
            at_ms,
            cpu_seconds,
            memory_bytes: 10.0,
            started_ms,
        }
    }

    fn cpu(track: Track, now_ms: i64) -> Option<(f64, i64)> {
        let figures = track.figures(now_ms)?;
        Some((figures.cpu, figures.window_ms))
    }

    #[test]
    fn two_looks_make_a_window() {
        let track = Track::new(point(0, 10.0, None));
        assert_eq!(cpu(track, 0), None, "one look is no window");
        let track = track.with(point(15_000, 25.0, None));
        assert_eq!(cpu(track, 15_000), Some((1.0, 15_000)));
        let soon = track.with(point(15_500, 25.5, None));
        assert_eq!(
            cpu(soon, 15_500),
            Some((1.0, 15_500)),
            "no short window once there is a long one"
        );
        assert_eq!(cpu(track, 15_000 + STALE_MS + 1), None, "stale");
    }

    #[test]
    fn windows_stay_in_bounds_however_often_it_is_looked() {
        let mut track = Track::new(point(0, 0.0, None));
        for second in 1..200 {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let used = second as f64;
            track = track.with(point(second * 1000, used, None));
            let (cpu, window_ms) = cpu(track, second * 1000).expect("figures");
            assert!((cpu - 1.0).abs() < 1e-9);
            assert!(
                window_ms <= 20_000 && (second < 10 || window_ms >= STEADY_WINDOW_MS),
                "{window_ms}"
            );
        }
    }

    #[test]
    fn a_young_container_is_measured_from_its_start() {
        let young = Track::new(point(12_000, 4.0, Some(10_000)));
        assert_eq!(cpu(young, 12_000), Some((2.0, 2_000)));
        assert_eq!(
            cpu(Track::new(point(10_100, 4.0, Some(10_000))), 10_100),
            None,
            "too young"
        );
        assert_eq!(
            cpu(Track::new(point(100_000, 4.0, Some(10_000))), 100_000),
            None,
            "too old"
        );
    }

    #[test]
    fn another_start_is_another_container() {
        let track = Track::new(point(0, 10.0, Some(-100_000))).with(point(15_000, 1.0, Some(13_000)));
        assert_eq!(cpu(track, 15_000), Some((0.5, 2_000)));
        let reset = Track::new(point(0, 10.0, None)).with(point(15_000, 1.0, None));
        assert_eq!(reset.earlier, None);
    }

    #[test]
    fn a_pod_has_its_own_containers_and_no_others() {
        let mut usage = NodeUsage::default();
        let container = |pod: &str, name: &str| ("n".to_owned(), pod.to_owned(), name.to_owned());
        let look = |at_ms| Look {
            node: None,
            containers: [("p", "a"), ("p", "b"), ("p2", "a")]
                .map(|(pod, name)| (container(pod, name), point(at_ms, 0.0, None)))
                .into(),
        };
        usage.add(look(0));
        usage.add(look(2_000));
        let names: Vec<&str> = usage.pod("n", "p", 2_000).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b"]);
        assert!(usage.pod("m", "p", 2_000).is_empty());
        usage.add(Look::default());
        assert!(usage.pod("n", "p", 2_000).is_empty(), "gone");
    }
}
