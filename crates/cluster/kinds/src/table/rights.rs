//! Tables of role bindings, certificate requests and webhook configurations.

use jiff::Timestamp;
use serde_json::Value;

use super::age::human;
use super::text::NONE;
use super::{AGE, Column, NAME, age, name};
use crate::value::{Read as _, int_at, list_at, text_at};

pub(super) const BINDING: &[Column] = &[
    NAME,
    Column::text("Role", "What is allowed."),
    AGE,
    Column::text("Users", "Users to whom it is allowed.").wide(),
    Column::text("Groups", "Groups to whom it is allowed.").wide(),
    Column::text("ServiceAccounts", "Service accounts to whom it is allowed.").wide(),
];

pub(super) fn binding(object: &Value, now: Timestamp) -> Vec<Value> {
    let role = &object["roleRef"];
    let of_kind = |kind: &str| -> String {
        let subjects = object
            .list("subjects")
            .iter()
            .filter(|subject| subject.text("kind") == kind);
        let names: Vec<String> = subjects
            .map(|subject| match (kind, subject.text("namespace")) {
                ("ServiceAccount", namespace) if !namespace.is_empty() => {
                    format!("{namespace}/{}", subject.text("name"))
                }
                _ => subject.text("name").to_owned(),
            })
            .collect();
        names.join(", ")
    };
    vec![
        name(object),
        format!("{}/{}", role.text("kind"), role.text("name")).into(),
        age(object, now),
        of_kind("User").into(),
        of_kind("Group").into(),
        of_kind("ServiceAccount").into(),
    ]
}

pub(super) const REQUEST: &[Column] = &[
    NAME,
    AGE,
    Column::text("SignerName", "Who is asked to sign."),
    Column::text("Requestor", "Who asks."),
    Column::text(
        "RequestedDuration",
        "For how long the certificate is to be valid.",
    ),
    Column::text("Condition", "What has become of it."),
];

pub(super) fn request(object: &Value, now: Timestamp) -> Vec<Value> {
    let duration = int_at(object, &["spec", "expirationSeconds"]).map_or(NONE.to_owned(), human);
    vec![
        name(object),
        age(object, now),
        text_at(object, &["spec", "signerName"]).into(),
        text_at(object, &["spec", "username"]).into(),
        duration.into(),
        request_condition(object).into(),
    ]
}

fn request_condition(object: &Value) -> String {
    let has = |kind: &str| {
        list_at(object, &["status", "conditions"])
            .iter()
            .any(|condition| condition.text("type") == kind)
    };
    let verdict = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    };
    let failed = if has("Failed") { ",Failed" } else { "" };
    let issued = if text_at(object, &["status", "certificate"]).is_empty() {
        ""
    } else {
        ",Issued"
    };
    format!("{verdict}{failed}{issued}")
}

pub(super) const WEBHOOKS: &[Column] = &[NAME, Column::number("Webhooks", "Number of webhooks."), AGE];

pub(super) fn webhooks(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        object.list("webhooks").len().into(),
        age(object, now),
    ]
}
