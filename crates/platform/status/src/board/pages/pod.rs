//! One Pod.

use askama::Template;
use serde::Serialize;

use super::{Frame, Seen};
use crate::board::{
    seen::{ContainerState, PodSeen},
    text,
    usage::Amount,
};

#[derive(Template, Serialize)]
#[template(path = "board/pod.html", whitespace = "minimize")]
#[serde(rename_all = "camelCase")]
pub(super) struct Pod<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    #[serde(flatten)]
    seen: &'a PodSeen,
    usage: Option<Amount>,
}

impl Pod<'_> {
    fn used(&self) -> String {
        match self.usage {
            Some(usage) => format!(
                "{} CPU, {} memory",
                text::cpus(usage.cpu_millis),
                text::bytes(usage.memory_bytes)
            ),
            None => "unknown".to_owned(),
        }
    }

    fn state(&self, state: &ContainerState) -> String {
        match state {
            ContainerState::Running { since } => format!("running for {}", self.frame.age(since)),
            ContainerState::Waiting { reason, message } if message.is_empty() => format!("waiting: {reason}"),
            ContainerState::Waiting { reason, message } => format!("waiting: {reason}, {message}"),
            ContainerState::Ended { code, reason, at } => {
                format!(
                    "ended with exit code {code} ({reason}) {} ago",
                    self.frame.age(at)
                )
            }
        }
    }
}

pub(super) fn pod<'a>(seen: Seen<'a>, namespace: &str, name: &str) -> Option<Pod<'a>> {
    let pod = seen.world.pods.get(namespace)?.get(name)?;
    Some(Pod {
        frame: Frame::new(seen, name, "namespaces"),
        usage: seen.world.usage.of_pod(namespace, name),
        seen: pod,
    })
}
