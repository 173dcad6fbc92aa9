//! What happens to Pods, as events that `kubectl describe` shows. Best effort: a lost event harms nobody.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Api, Client, api::PostParams};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::life::Note;

/// How many events may wait to be sent; more are dropped, so that a slow API costs no memory.
const WAITING: usize = 256;
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
    while let Some(event) = waiting.recv().await {
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, "an event was not taken");
        }
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
    let container = spec.containers.get(index.checked_sub(init.len())?)?;
    Some(format!("spec.containers{{{}}}", container.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
}
