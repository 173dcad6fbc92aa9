//! Events (`pkg/apis/core/validation/events.go`). Those of `events.k8s.io/v1` are kept as core Events and have stricter
//! rules, which speak of the core fields.

use serde_json::Value;

use super::names;
use super::path::{Errors, messages, unchanged};
use crate::FieldError;
use crate::kind::Kind;
use crate::value::{Read as _, equivalent, int_at, text_at};

/// Longest texts, in bytes.
const SHORT_BYTES: usize = 128;
const NOTE_BYTES: usize = 1024;

/// The object as a core Event; the rules are about that.
fn core(kind: &Kind, object: &Value) -> Value {
    crate::registry::by_kind("", "v1", "Event").map_or_else(
        || object.clone(),
        |core| crate::convert(kind, core, object.clone()),
    )
}

/// Events of the first generation have no `eventTime`.
fn is_old(event: &Value) -> bool {
    event.text("eventTime").is_empty()
}

/// A core Event.
pub(super) fn event(event: &Value, errors: &mut Errors) {
    place(event, errors);
    if !is_old(event) {
        details(event, errors);
    }
}

/// An event is in the namespace of what it is about, or in a common one.
fn place(event: &Value, errors: &mut Errors) {
    let about = text_at(event, &["involvedObject", "namespace"]);
    let namespace = text_at(event, &["metadata", "namespace"]);
    let fits = match (is_old(event), about.is_empty()) {
        (true, true) => matches!(namespace, "" | "default"),
        (true, false) => namespace == about,
        (false, true) => matches!(namespace, "default" | "kube-system"),
        (false, false) => true,
    };
    if !fits {
        let detail = "does not match event.namespace";
        errors.push(FieldError::invalid("involvedObject.namespace", about, detail));
    }
}

/// Who says what, which newer events have to tell.
fn details(event: &Value, errors: &mut Errors) {
    let reporter = event.text("reportingComponent");
    if reporter.is_empty() {
        errors.push(FieldError::required("reportingController", ""));
    }
    messages(
        "reportingController",
        reporter,
        names::qualified(reporter),
        errors,
    );
    for (field, most, needed) in [
        ("reportingInstance", SHORT_BYTES, true),
        ("action", SHORT_BYTES, true),
        ("reason", SHORT_BYTES, true),
        ("message", NOTE_BYTES, false),
    ] {
        let text = event.text(field);
        if needed && text.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
        if text.len() > most {
            let detail = format!("can have at most {most} characters");
            errors.push(FieldError::invalid(field, "", &detail));
        }
    }
}

/// A new Event of `events.k8s.io/v1`, which leaves the fields of the first generation alone.
pub(super) fn validate_new(kind: &Kind, object: &Value, errors: &mut Errors) {
    let object = core(kind, object);
    event(&object, errors);
    series(&object, errors);
    if is_old(&object) {
        errors.push(FieldError::required("eventTime", ""));
    }
    let kind = object.text("type");
    if !matches!(kind, "Normal" | "Warning") {
        let detail = format!("has invalid value: {kind}");
        errors.push(FieldError::invalid("type", "", &detail));
    }
    let source = ["component", "host"].map(|key| text_at(&object, &["source", key]));
    for (field, set) in [
        ("firstTimestamp", !object.text("firstTimestamp").is_empty()),
        ("lastTimestamp", !object.text("lastTimestamp").is_empty()),
        ("count", object.int("count").unwrap_or(0) != 0),
        ("source", source.iter().any(|text| !text.is_empty())),
    ] {
        if set {
            errors.push(FieldError::invalid(field, "", "needs to be unset"));
        }
    }
}

/// A change through `events.k8s.io/v1`: an event may go on, and nothing else.
pub(super) fn validate_update(kind: &Kind, old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (core(kind, old), core(kind, new));
    event(&new, errors);
    if !equivalent(old.get("series"), new.get("series")) {
        series(&new, errors);
    }
    for field in [
        "involvedObject",
        "reason",
        "message",
        "source",
        "firstTimestamp",
        "lastTimestamp",
        "count",
        "type",
        "eventTime",
        "action",
        "related",
        "reportingInstance",
    ] {
        unchanged(&old, &new, &[field], errors);
    }
    if old.text("reportingComponent") != new.text("reportingComponent") {
        let given = new.text("reportingComponent");
        errors.push(FieldError::invalid(
            "reportingController",
            given,
            super::path::IMMUTABLE,
        ));
    }
}

fn series(event: &Value, errors: &mut Errors) {
    if !event.has("series") {
        return;
    }
    if int_at(event, &["series", "count"]).unwrap_or(0) < 2 {
        errors.push(FieldError::invalid("series.count", "", "should be at least 2"));
    }
    if text_at(event, &["series", "lastObservedTime"]).is_empty() {
        errors.push(FieldError::required("series.lastObservedTime", ""));
    }
}
