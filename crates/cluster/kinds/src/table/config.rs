//! Tables of settings, secrets, service accounts and quotas.

use jiff::Timestamp;
use serde_json::Value;

use super::{AGE, Column, NAME, age, name};
use crate::value::{Read as _, text_at};

const DATA: Column = Column::number("Data", "Number of entries.");

pub(super) const CONFIG_MAP: &[Column] = &[NAME, DATA, AGE];

pub(super) fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        (entries(object, "data") + entries(object, "binaryData")).into(),
        age(object, now),
    ]
}

pub(super) const SECRET: &[Column] = &[NAME, Column::text("Type", "What it is for."), DATA, AGE];

pub(super) fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        object.text("type").into(),
        entries(object, "data").into(),
        age(object, now),
    ]
}

pub(super) const SERVICE_ACCOUNT: &[Column] =
    &[NAME, Column::number("Secrets", "Secrets that it may use."), AGE];

pub(super) fn service_account(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        object.list("secrets").len().into(),
        age(object, now),
    ]
}

pub(super) const QUOTA: &[Column] = &[
    NAME,
    Column::text("Request", "What is used of what may be requested."),
    Column::text("Limit", "What is used of the limits."),
    AGE,
];

pub(super) fn quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut requests = Vec::new();
    let mut limits = Vec::new();
    for (resource, hard) in object
        .at(&["status", "hard"])
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let used = text_at(object, &["status", "used", resource]);
        let used = if used.is_empty() { "0" } else { used };
        let text = format!("{resource}: {used}/{}", hard.as_str().unwrap_or_default());
        if resource.contains("limits") {
            limits.push(text);
        } else {
            requests.push(text);
        }
    }
    requests.sort();
    limits.sort();
    vec![
        name(object),
        requests.join(", ").into(),
        limits.join(", ").into(),
        age(object, now),
    ]
}

fn entries(object: &Value, key: &str) -> usize {
    object.map(key).map_or(0, serde_json::Map::len)
}
