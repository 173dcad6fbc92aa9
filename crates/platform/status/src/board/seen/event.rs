//! Events: what the cluster said about an object.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use serde::Serialize;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventSeen {
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) namespace: String,
    pub(crate) last: Option<Timestamp>,
    pub(crate) count: i32,
    pub(crate) warning: bool,
    pub(crate) reason: String,
    /// Kind and name of the object that it is about.
    pub(crate) object: String,
    pub(crate) message: String,
}

impl From<Event> for EventSeen {
    fn from(event: Event) -> Self {
        let series = event.series.as_ref();
        let last = series
            .and_then(|series| series.last_observed_time.as_ref())
            .map(|time| time.0)
            .or(event.last_timestamp.map(|time| time.0))
            .or(event.event_time.map(|time| time.0))
            .or(event.metadata.creation_timestamp.map(|time| time.0));
        let about = event.involved_object;
        Self {
            name: event.metadata.name.unwrap_or_default(),
            namespace: event.metadata.namespace.unwrap_or_default(),
            last,
            count: series
                .and_then(|series| series.count)
                .or(event.count)
                .unwrap_or(1),
            warning: event.type_.as_deref() == Some("Warning"),
            reason: event.reason.unwrap_or_default(),
            object: format!(
                "{}/{}",
                about.kind.unwrap_or_default(),
                about.name.unwrap_or_default()
            ),
            message: event.message.unwrap_or_default(),
        }
    }
}
