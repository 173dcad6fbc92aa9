//! Whether a shell's Pod can be used yet, or never will be.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::CONTAINER;
use crate::exit::Exit;

/// Reasons for waiting that do not pass by waiting.
const HOPELESS: [(&str, Exit); 6] = [
    ("ErrImagePull", Exit::Image),
    ("ImagePullBackOff", Exit::Image),
    ("InvalidImageName", Exit::Image),
    ("ErrImageNeverPull", Exit::Image),
    ("CreateContainerConfigError", Exit::Tool),
    ("CreateContainerError", Exit::Tool),
];

/// How a Pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not yet, and what it waits for.
    Coming(String),
    Ready,
    Failed(Exit, String),
}

/// Judges a Pod.
pub(crate) fn standing(pod: &Pod) -> Standing {
    let status = pod.status.clone().unwrap_or_default();
    if pod.metadata.deletion_timestamp.is_some() {
        return Standing::Failed(Exit::Tool, "It was deleted meanwhile.".to_owned());
    }
    let containers = status.container_statuses.unwrap_or_default();
    let container = containers.iter().find(|container| container.name == CONTAINER);
    if let Some(found) = container.and_then(of_container) {
        return found;
    }
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        let why = status
            .message
            .or(status.reason)
            .unwrap_or_else(|| "no reason is given".to_owned());
        return Standing::Failed(Exit::Tool, format!("It has ended: {why}."));
    }
    let scheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    Standing::Coming(match scheduled.and_then(|condition| condition.message.clone()) {
        Some(why) => format!("a place to run ({why})"),
        None => "its container".to_owned(),
    })
}

fn of_container(container: &ContainerStatus) -> Option<Standing> {
    let state = container.state.as_ref()?;
    if state.running.is_some() {
        return Some(Standing::Ready);
    }
    if let Some(ended) = &state.terminated {
        let why = ended
            .message
            .as_deref()
            .or(ended.reason.as_deref())
            .unwrap_or("no reason is given");
        let sentence = format!("Its container ended with exit code {} ({why}).", ended.exit_code);
        return Some(Standing::Failed(Exit::Tool, sentence));
    }
    let waiting = state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    let (_, exit) = HOPELESS.iter().find(|(known, _)| *known == reason)?;
    let message = waiting.message.as_deref().unwrap_or_default();
    let sentence = format!("Its container cannot be made: {reason}: {message}");
    Some(Standing::Failed(*exit, sentence))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(status: &Value) -> Standing {
        standing(&serde_json::from_value(json!({ "status": status })).unwrap())
    }

    fn with(state: &Value) -> Standing {
        of(&json!({ "phase": "Pending", "containerStatuses": [{
            "name": CONTAINER, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }] }))
    }

    #[test]
    fn what_will_not_come_is_not_waited_for() {
        let began = json!({ "startedAt": "2026-01-01T00:00:00Z" });
        assert_eq!(with(&json!({ "running": began })), Standing::Ready);
        assert!(matches!(
            with(&json!({ "waiting": { "reason": "ContainerCreating" } })),
            Standing::Coming(_)
        ));
        assert!(matches!(
            with(&json!({ "waiting": { "reason": "ImagePullBackOff" } })),
            Standing::Failed(Exit::Image, _)
        ));
        assert!(matches!(
            with(&json!({ "terminated": { "exitCode": 127 } })),
            Standing::Failed(Exit::Tool, why) if why.contains("127")
        ));
        assert!(matches!(of(&json!({ "phase": "Failed" })), Standing::Failed(..)));
        let nowhere = json!([{ "type": "PodScheduled", "status": "False", "message": "too little memory" }]);
        assert!(matches!(
            of(&json!({ "phase": "Pending", "conditions": nowhere })),
            Standing::Coming(why) if why.contains("too little memory")
        ));
    }
}
