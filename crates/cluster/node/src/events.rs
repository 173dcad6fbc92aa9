//! What happens to Pods, as events that `kubectl describe` shows. Best effort: a lost event harms nobody.

use std::collections::HashMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::life::Note;

/// How many events may wait to be sent; more are dropped, so that a slow API costs no memory.
const WAITING: usize = 256;
/// How many events are remembered, to count them when they come again; kubelet's number. Then counting starts over.
const REMEMBERED: usize = 4096;
/// Who says it.
const COMPONENT: &str = "kubelet";

/// Takes events and never makes anybody wait.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    node: String,
    queue: mpsc::Sender<Event>,
}

impl Recorder {
    /// A recorder for this node, and the task that sends what it is given.
    pub(crate) fn start(client: Client, node: &str, shutdown: CancellationToken) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            shutdown.run_until_cancelled(send_all(client, waiting)).await;
        });
        Self {
            node: node.to_owned(),
            queue,
        }
    }

    /// Records something about a Pod.
    pub(crate) fn record(&self, pod: &Pod, note: &Note) {
        let event = event(&self.node, pod, note, Timestamp::now());
        if self.queue.try_send(event).is_err() {
            tracing::debug!(reason = note.reason, "an event was dropped");
        }
    }
}

async fn send_all(client: Client, mut waiting: mpsc::Receiver<Event>) {
    let mut told = Told::default();
    while let Some(event) = waiting.recv().await {
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
        if let Err(error) = send(&events, &mut told, event).await {
            tracing::debug!(%error, "an event was not taken");
        }
    }
}

/// What was told raises a count instead of being told again.
async fn send(events: &Api<Event>, told: &mut Told, event: Event) -> kube::Result<()> {
    if let Some((name, count)) = told.again(&event) {
        let last = &event.last_timestamp;
        let patch = json!({"count": count, "lastTimestamp": last});
        match events
            .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await
        {
            // It has expired meanwhile.
            Err(kube::Error::Api(refusal)) if refusal.is_not_found() => {}
            patched => return patched.map(drop),
        }
    }
    events.create(&PostParams::default(), &event).await?;
    told.first(&event);
    Ok(())
}

/// What makes two events the same to a reader.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Content {
    uid: Option<String>,
    field_path: Option<String>,
    kind: Option<String>,
    reason: Option<String>,
    message: Option<String>,
}

impl Content {
    fn of(event: &Event) -> Self {
        Self {
            uid: event.involved_object.uid.clone(),
            field_path: event.involved_object.field_path.clone(),
            kind: event.type_.clone(),
            reason: event.reason.clone(),
            message: event.message.clone(),
        }
    }
}

/// The events that were sent, with their names and how often they were told.
#[derive(Debug, Default)]
struct Told(HashMap<Content, (String, i32)>);

impl Told {
    /// The event that says the same, and its new count.
    fn again(&mut self, event: &Event) -> Option<(String, i32)> {
        let (name, count) = self.0.get_mut(&Content::of(event))?;
        *count = count.saturating_add(1);
        Some((name.clone(), *count))
    }

    fn first(&mut self, event: &Event) {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let name = event.metadata.name.clone().unwrap_or_default();
        self.0.insert(Content::of(event), (name, 1));
    }
}

fn event(host: &str, pod: &Pod, note: &Note, now: Timestamp) -> Event {
    let metadata = &pod.metadata;
    let name = format!(
        "{}.{:x}",
        metadata.name.as_deref().unwrap_or_default(),
        now.as_nanosecond()
    );
    Event {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: metadata.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: metadata.name.clone(),
            namespace: metadata.namespace.clone(),
            uid: metadata.uid.clone(),
            field_path: note.index.and_then(|index| field_path(pod, index)),
            ..ObjectReference::default()
        },
        reason: Some(note.reason.to_owned()),
        message: Some(note.message.clone()),
        type_: Some(if note.warning { "Warning" } else { "Normal" }.to_owned()),
        source: Some(EventSource {
            component: Some(COMPONENT.to_owned()),
            host: Some(host.to_owned()),
        }),
        reporting_component: Some(COMPONENT.to_owned()),
        reporting_instance: Some(host.to_owned()),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}

/// Where the container stands in the Pod; `index` counts init containers first.
fn field_path(pod: &Pod, index: usize) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let init = spec.init_containers.as_deref().unwrap_or_default();
    if let Some(container) = init.get(index) {
        return Some(format!("spec.initContainers{{{}}}", container.name));
    }
    let index = index.checked_sub(init.len())?;
    if let Some(container) = spec.containers.get(index) {
        return Some(format!("spec.containers{{{}}}", container.name));
    }
    let ephemeral = spec.ephemeral_containers.as_deref().unwrap_or_default();
    let container = ephemeral.get(index - spec.containers.len())?;
    Some(format!("spec.ephemeralContainers{{{}}}", container.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_the_container_that_it_is_about() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u"},
            "spec": {"initContainers": [{"name": "first"}], "containers": [{"name": "main"}]},
        }))
        .expect("pod");
        let note = |index| Note {
            warning: true,
            reason: "BackOff",
            message: "m".to_owned(),
            index: Some(index),
        };
        let now = Timestamp::UNIX_EPOCH;
        let paths: Vec<_> = (0..3)
            .map(|index| event("one", &pod, &note(index), now).involved_object.field_path)
            .collect();
        assert_eq!(
            paths,
            [
                Some("spec.initContainers{first}".to_owned()),
                Some("spec.containers{main}".to_owned()),
                None
            ]
        );
        let event = event("one", &pod, &note(1), now);
        assert_eq!(event.type_.as_deref(), Some("Warning"));
        assert_eq!(
            event.source.expect("source").component.as_deref(),
            Some("kubelet")
        );
    }

    #[test]
    fn what_is_told_again_is_counted() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p", "uid": "u"}})).expect("pod");
        let tell = |message: &str, second| {
            let note = Note {
                warning: true,
                reason: "Unhealthy",
                message: message.to_owned(),
                index: None,
            };
            event("one", &pod, &note, Timestamp::from_second(second).expect("time"))
        };
        let mut told = Told::default();
        assert_eq!(told.again(&tell("a", 0)), None);
        told.first(&tell("a", 0));
        let name = tell("a", 0).metadata.name.expect("name");
        assert_eq!(told.again(&tell("a", 5)), Some((name.clone(), 2)));
        assert_eq!(told.again(&tell("a", 9)), Some((name, 3)));
        assert_eq!(
            told.again(&tell("b", 9)),
            None,
            "another message is another event"
        );
    }
}
