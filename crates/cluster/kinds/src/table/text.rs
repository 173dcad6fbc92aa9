//! Small texts that several tables share.

use serde_json::Value;

use crate::scale::selector_text;
use crate::value::{Read as _, list_at};

/// What stands where there is nothing.
pub(super) const NONE: &str = "<none>";

/// The text, or `<none>`.
pub(super) fn or_none(text: &str) -> Value {
    if text.is_empty() { NONE.into() } else { text.into() }
}

/// A label selector, or `<none>`.
pub(super) fn selector(selector: Option<&Value>) -> Value {
    or_none(&selector.map(selector_text).unwrap_or_default())
}

/// Labels as `a=b,c=d`, or `<none>`.
pub(super) fn labels(labels: Option<&Value>) -> Value {
    let pairs: Vec<String> = labels
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(&pairs.join(","))
}

/// A field of each item, joined with commas.
pub(super) fn joined(items: &[Value], key: &str) -> String {
    items
        .iter()
        .map(|item| item.text(key))
        .collect::<Vec<_>>()
        .join(",")
}

/// Names and images of a template's containers.
pub(super) fn containers(spec: &Value) -> [Value; 2] {
    let containers = list_at(spec, &["template", "spec", "containers"]);
    [
        joined(containers, "name").into(),
        joined(containers, "image").into(),
    ]
}

/// The first three, and how many more there are; `empty` where there are none.
pub(super) fn first_three(items: &[String], separator: &str, empty: &str) -> String {
    /// As many as kubectl shows.
    const SHOWN: usize = 3;
    if items.is_empty() {
        return empty.to_owned();
    }
    let shown = items[..items.len().min(SHOWN)].join(separator);
    if items.len() > SHOWN {
        format!("{shown} + {} more...", items.len() - SHOWN)
    } else {
        shown
    }
}
