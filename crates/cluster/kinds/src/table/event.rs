//! The table of Events: what happened last to what.

use jiff::Timestamp;
use serde_json::Value;

use super::age::since;
use super::{Column, NAME, name};
use crate::value::{Read as _, text_at};

pub(super) const COLUMNS: &[Column] = &[
    Column::text("Last Seen", "Time since it was last seen."),
    Column::text("Type", "Normal or Warning."),
    Column::text("Reason", "Why, in one word."),
    Column::text("Object", "What it is about."),
    Column::text("Subobject", "Which part of the object.").wide(),
    Column::text("Source", "Who says so.").wide(),
    Column::text("Message", "What happened."),
    Column::text("First Seen", "Time since it was first seen.").wide(),
    Column::number("Count", "How often it was seen.").wide(),
    NAME.wide(),
];

pub(super) fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let first = if event.has("firstTimestamp") {
        event.text("firstTimestamp")
    } else {
        event.text("eventTime")
    };
    let last = if event.has("lastTimestamp") {
        event.text("lastTimestamp")
    } else {
        first
    };
    let (last, count) = match event.get("series").filter(|series| series.is_object()) {
        Some(series) => (series.text("lastObservedTime"), series.int("count").unwrap_or(0)),
        None => (last, event.int("count").filter(|count| *count != 0).unwrap_or(1)),
    };
    let kind = text_at(event, &["involvedObject", "kind"]).to_lowercase();
    let target = match text_at(event, &["involvedObject", "name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        since(last, now).into(),
        event.text("type").into(),
        event.text("reason").into(),
        target.into(),
        text_at(event, &["involvedObject", "fieldPath"]).into(),
        source(event).into(),
        event.text("message").trim().into(),
        since(first, now).into(),
        count.into(),
        name(event),
    ]
}

fn source(event: &Value) -> String {
    let component = text_at(event, &["source", "component"]);
    let (component, instance) = if component.is_empty() {
        (event.text("reportingComponent"), event.text("reportingInstance"))
    } else {
        (component, text_at(event, &["source", "host"]))
    };
    if instance.is_empty() {
        component.to_owned()
    } else {
        format!("{component}, {instance}")
    }
}
