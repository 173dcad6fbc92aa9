//! Labels, annotations and label selectors.

use serde_json::Value;

use super::names;
use super::path::{Errors, each, join, messages};
use crate::FieldError;
use crate::value::Read as _;

/// All annotations of an object together, in bytes.
const ANNOTATIONS_BYTES: usize = 256 * 1024;

/// Keys and values of labels.
pub(super) fn labels(labels: Option<&Value>, path: &str, errors: &mut Errors) {
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        messages(path, key, names::qualified(key), errors);
        let value = value.as_str().unwrap_or_default();
        messages(path, value, names::label_value(value), errors);
    }
}

/// Keys and size of annotations.
pub(super) fn annotations(annotations: Option<&Value>, path: &str, errors: &mut Errors) {
    let mut bytes = 0;
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        messages(path, key, names::qualified(&key.to_lowercase()), errors);
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > ANNOTATIONS_BYTES {
        errors.push(FieldError::too_long(path, ANNOTATIONS_BYTES));
    }
}

/// A selector of a `LabelSelector`'s form.
pub(super) fn selector(selector: &Value, path: &str, errors: &mut Errors) {
    labels(selector.get("matchLabels"), &join(path, "matchLabels"), errors);
    for (path, expression) in each(selector, path, "matchExpressions") {
        let values = join(&path, "values");
        let none = expression.list("values").is_empty();
        match expression.text("operator") {
            "In" | "NotIn" if none => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(&values, detail));
            }
            "Exists" | "DoesNotExist" if !none => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(&values, detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let operator = join(&path, "operator");
                errors.push(FieldError::invalid(
                    &operator,
                    other,
                    "not a valid selector operator",
                ));
            }
        }
        messages(
            &join(&path, "key"),
            expression.text("key"),
            names::qualified(expression.text("key")),
            errors,
        );
        for value in expression.list("values").iter().filter_map(Value::as_str) {
            messages(&values, value, names::label_value(value), errors);
        }
    }
}

/// Whether a selector selects everything.
pub(super) fn is_empty(selector: &Value) -> bool {
    selector.map("matchLabels").is_none_or(serde_json::Map::is_empty)
        && selector.list("matchExpressions").is_empty()
}

/// Whether a selector selects an object with these labels.
pub(super) fn selects(selector: &Value, labels: Option<&Value>) -> bool {
    let empty = Value::Null;
    let labels = labels.unwrap_or(&empty);
    let by_label = selector
        .map("matchLabels")
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    by_label
        && selector.list("matchExpressions").iter().all(|expression| {
            let value = labels.get(expression.text("key"));
            let listed = value.is_some_and(|value| expression.list("values").contains(value));
            match expression.text("operator") {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                _ => value.is_none(),
            }
        })
}
