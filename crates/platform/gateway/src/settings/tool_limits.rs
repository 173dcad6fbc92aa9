//! What one tool may have of the gateway, as the settings file says it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde::Deserialize;
use toolforge_model::{Problems, ToolName};

use crate::rooms::{RoomSize, RoomSizes};

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
    /// What single tools have instead.
    pub tools: BTreeMap<String, OwnLimitsSettings>,
}

/// What a single tool may have; what is left out is as for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OwnLimitsSettings {
    /// Requests under way.
    pub requests: Option<u32>,
    /// Connections that became something else.
    pub upgraded_connections: Option<u32>,
    /// Requests that wait.
    pub queue: Option<u32>,
    /// How long they wait, in seconds.
    pub queue_seconds: Option<u32>,
}

impl Default for ToolLimitsSettings {
    /// Far beyond what a tool that works has, and far below what a gateway can hold.
    fn default() -> Self {
        Self {
            requests: 1000,
            upgraded_connections: 5000,
            queue: 100,
            queue_seconds: 5,
            tools: BTreeMap::new(),
        }
    }
}

impl ToolLimitsSettings {
    /// The room that each tool has.
    pub(crate) fn resolve(&self, problems: &mut Problems) -> RoomSizes {
        let mut of = HashMap::new();
        for (name, own) in &self.tools {
            let field = format!("toolLimits.tools.{name}");
            match name.parse::<ToolName>() {
                Ok(tool) => {
                    of.insert(
                        tool.namespace().to_string(),
                        self.with(own).size(&field, problems),
                    );
                }
                Err(error) => problems.add(field, error.to_string()),
            }
        }
        RoomSizes {
            of_all: self.size("toolLimits", problems),
            of,
        }
    }

    fn with(&self, own: &OwnLimitsSettings) -> Self {
        Self {
            requests: own.requests.unwrap_or(self.requests),
            upgraded_connections: own.upgraded_connections.unwrap_or(self.upgraded_connections),
            queue: own.queue.unwrap_or(self.queue),
            queue_seconds: own.queue_seconds.unwrap_or(self.queue_seconds),
            tools: BTreeMap::new(),
        }
    }

    fn size(&self, place: &str, problems: &mut Problems) -> RoomSize {
        for (field, value) in [
            ("requests", self.requests),
            ("upgradedConnections", self.upgraded_connections),
            ("queue", self.queue),
        ] {
            if value > MOST {
                let problem = format!("{value} is more than any machine has; write {MOST} at most");
                problems.add(format!("{place}.{field}"), problem);
            }
        }
        if self.requests == 0 {
            let problem = format!("0 would refuse every request; write 1 or more, or leave {place} out");
            problems.add(format!("{place}.requests"), problem);
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
    use crate::{GatewaySettings, Rules, rooms::RoomSizes};

    #[test]
    fn what_is_left_out_is_as_it_is_without_a_file() {
        let of = |text: &str| GatewaySettings::read(text).unwrap().resolve().unwrap().rooms;
        assert_eq!(of(""), Rules::default().rooms);
        assert_eq!(of("toolLimits: {}"), RoomSizes::default());
        let size = of("toolLimits: { requests: 20, queue: 0 }").size("tool-a");
        assert_eq!((size.requests, size.waiting, size.upgraded), (20, 0, 5000));
        let sizes = of("toolLimits: { requests: 20, tools: { a: { queue: 7 }, b: { requests: 1 } } }");
        let counts = ["tool-a", "tool-b", "tool-c"].map(|name| {
            let size = sizes.size(name);
            (size.requests, size.waiting)
        });
        assert_eq!(counts, [(20, 7), (1, 100), (20, 100)]);
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let text = "toolLimits: { requests: 0, upgradedConnections: 2000000, queue: 4000000000,\n\
                    tools: { a: { requests: 0 }, Not A Tool: {} } }";
        let error = GatewaySettings::read(text)
            .unwrap()
            .resolve()
            .unwrap_err()
            .to_string();
        for field in [
            "requests",
            "upgradedConnections",
            "queue",
            "tools.a.requests",
            "tools.Not A Tool",
        ] {
            assert!(error.contains(&format!("toolLimits.{field}: ")), "{error}");
        }
    }
}
