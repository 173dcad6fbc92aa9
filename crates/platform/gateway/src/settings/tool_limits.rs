//! What one tool may have of the gateway, as the settings file says it.

use std::time::Duration;

use serde::Deserialize;
use toolforge_model::Problems;

use crate::rooms::RoomSize;

/// The most of anything: as many as one machine has file descriptors for.
const MOST: u32 = 1_000_000;

/// What one tool may have at once, over all threads of the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ToolLimitsSettings {
    /// Requests under way, until the last byte of their answers.
    pub requests: u32,
    /// Connections that became something else, such as a WebSocket.
    pub upgraded_connections: u32,
    /// Requests beyond the first limit that wait for one to end.
    pub queue: u32,
    /// How long they wait, in seconds.
    pub queue_seconds: u32,
}

impl Default for ToolLimitsSettings {
    /// Far beyond what a tool that works has, and far below what a gateway can hold.
    fn default() -> Self {
        Self {
            requests: 1000,
            upgraded_connections: 5000,
            queue: 100,
            queue_seconds: 5,
        }
    }
}

impl ToolLimitsSettings {
    /// The room that each tool has.
    pub(crate) fn resolve(&self, problems: &mut Problems) -> RoomSize {
        for (field, value) in [
            ("requests", self.requests),
            ("upgradedConnections", self.upgraded_connections),
            ("queue", self.queue),
        ] {
            if value > MOST {
                let problem = format!("{value} is more than any machine has; write {MOST} at most");
                problems.add(format!("toolLimits.{field}"), problem);
            }
        }
        if self.requests == 0 {
            let problem = "0 would refuse every request; write 1 or more, or leave toolLimits out";
            problems.add("toolLimits.requests", problem);
        }
        let count = |value: u32| usize::try_from(value.min(MOST)).unwrap_or_default();
        RoomSize {
            requests: count(self.requests),
            upgraded: count(self.upgraded_connections),
            waiting: count(self.queue),
            patience: Duration::from_secs(self.queue_seconds.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{GatewaySettings, Rules, rooms::RoomSize};

    #[test]
    fn what_is_left_out_is_as_it_is_without_a_file() {
        let of = |text: &str| GatewaySettings::read(text).unwrap().resolve().unwrap().room;
        assert_eq!(of(""), Rules::default().room);
        assert_eq!(of("toolLimits: {}"), RoomSize::default());
        let size = of("toolLimits: { requests: 20, queue: 0 }");
        assert_eq!((size.requests, size.waiting, size.upgraded), (20, 0, 5000));
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let text = "toolLimits: { requests: 0, upgradedConnections: 2000000, queue: 4000000000 }";
        let error = GatewaySettings::read(text)
            .unwrap()
            .resolve()
            .unwrap_err()
            .to_string();
        for field in ["requests", "upgradedConnections", "queue"] {
            assert!(error.contains(&format!("toolLimits.{field}")), "{error}");
        }
    }
}
