//! Events, as `kubectl describe` shows them: recorded from anywhere without waiting, written by one task that counts
//! repetitions instead of repeating them.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::kept::MANAGER;
use crate::object::Object;

/// Events waiting to be written; more are dropped, for they only explain and never carry state.
const WAITING: usize = 1024;
/// Distinct events whose count is remembered; about 300 bytes each.
const REMEMBERED: usize = 4096;

/// Says whether an event is news or trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Something went as it should.
    Normal,
    /// Something somebody may have to mend.
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Note {
    about: About,
    component: &'static str,
    kind: Kind,
    reason: Cow<'static, str>,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct About {
    api_version: String,
    kind: String,
    namespace: String,
    name: String,
    uid: String,
}

/// Where controllers say what happened.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    notes: mpsc::Sender<Note>,
}

impl Recorder {
    /// A recorder, and the writer to be spawned for it.
    pub(crate) fn new(client: Client) -> (Self, Writer) {
        let (notes, waiting) = mpsc::channel(WAITING);
        (
            Self { notes },
            Writer {
                client,
                waiting,
                known: HashMap::new(),
            },
        )
    }

    /// Records an event about `object` on behalf of `component`.
    pub(crate) fn record<K: Object<Kind: Resource<DynamicType = ()>>>(
        &self,
        component: &'static str,
        object: &K,
        kind: Kind,
        reason: impl Into<Cow<'static, str>>,
        message: String,
    ) {
        let reason = reason.into();
        let about = About {
            api_version: K::Kind::api_version(&()).into_owned(),
            kind: K::Kind::kind(&()).into_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            uid: object.uid().to_owned(),
        };
        let note = Note {
            about,
            component,
            kind,
            reason,
            message,
        };
        if let Err(dropped) = self.notes.try_send(note) {
            let reason = &*dropped.into_inner().reason;
            debug!(reason, "event dropped, too many are waiting");
        }
    }
}

/// Writes recorded events to the API.
pub(crate) struct Writer {
    client: Client,
    waiting: mpsc::Receiver<Note>,
    known: HashMap<Note, Known>,
}

struct Known {
    name: String,
    count: i32,
}

impl Writer {
    /// Writes until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while let Some(Some(note)) = shutdown.run_until_cancelled(self.waiting.recv()).await {
            // An event that cannot be written is not worth a second attempt: its cause will come again.
            if let Err(source) = self.write(note).await {
                debug!(error = &source as &dyn std::error::Error, "event not written");
            }
        }
    }

    async fn write(&mut self, note: Note) -> Result<(), kube::Error> {
        let namespace = if note.about.namespace.is_empty() {
            "default"
        } else {
            &note.about.namespace
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let now = Timestamp::now();
        if let Some(known) = self.known.get_mut(&note) {
            known.count = known.count.saturating_add(1);
            let patch = json!({"count": known.count, "lastTimestamp": Time(now)});
            match api
                .patch(&known.name, &PatchParams::apply(MANAGER), &Patch::Merge(patch))
                .await
            {
                Ok(_) => return Ok(()),
                // Removed meanwhile: start anew.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error),
            }
        }
        let event = first_event(&note, namespace, now);
        let name = event.metadata.name.clone().unwrap_or_default();
        api.create(&PostParams::default(), &event).await?;
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(note, Known { name, count: 1 });
        Ok(())
    }
}

fn first_event(note: &Note, namespace: &str, now: Timestamp) -> Event {
    let about = &note.about;
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{:016x}", about.name, rand::random::<u64>())),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(about.api_version.clone()),
            kind: Some(about.kind.clone()),
            name: Some(about.name.clone()),
            namespace: Some(about.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            uid: Some(about.uid.clone()),
            ..ObjectReference::default()
        },
        type_: Some(match note.kind {
            Kind::Normal => "Normal".to_owned(),
            Kind::Warning => "Warning".to_owned(),
        }),
        reason: Some(note.reason.clone().into_owned()),
        message: Some(note.message.clone()),
        source: Some(EventSource {
            component: Some(note.component.to_owned()),
            host: None,
        }),
        reporting_component: Some(note.component.to_owned()),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        count: Some(1),
        ..Event::default()
    }
}
