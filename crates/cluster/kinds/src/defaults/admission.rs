//! Defaults of role bindings, webhook configurations and `APIService`s.

use serde_json::{Value, json};

use crate::value::{Read as _, child, default, default_text, items};

const RBAC: &str = "rbac.authorization.k8s.io";
/// Port of a webhook's Service.
const WEBHOOK_PORT: i64 = 443;
/// Seconds that a webhook has to answer.
const WEBHOOK_TIMEOUT_SECONDS: i64 = 10;

/// A binding's role and subjects are of the RBAC group unless they say otherwise.
pub(super) fn binding(object: &mut Value) {
    if let Some(role) = child(object, "roleRef") {
        default_text(role, "apiGroup", RBAC);
    }
    for subject in items(object, "subjects") {
        if matches!(subject.text("kind"), "User" | "Group") {
            default_text(subject, "apiGroup", RBAC);
        }
    }
}

/// Webhooks fail closed, match equivalent requests and have ten seconds.
pub(super) fn webhooks(object: &mut Value, mutating: bool) {
    for webhook in items(object, "webhooks") {
        default(webhook, "failurePolicy", "Fail");
        default(webhook, "matchPolicy", "Equivalent");
        default(webhook, "namespaceSelector", json!({}));
        default(webhook, "objectSelector", json!({}));
        default(webhook, "timeoutSeconds", WEBHOOK_TIMEOUT_SECONDS);
        if mutating {
            default(webhook, "reinvocationPolicy", "Never");
        }
        for rule in items(webhook, "rules") {
            default(rule, "scope", "*");
        }
        if let Some(service) = child(webhook, "clientConfig").and_then(|config| child(config, "service")) {
            default(service, "port", WEBHOOK_PORT);
        }
    }
}

/// An `APIService` is asked on the port of HTTPS.
pub(super) fn api_service(object: &mut Value) {
    if let Some(service) = child(object, "spec").and_then(|spec| child(spec, "service")) {
        default(service, "port", WEBHOOK_PORT);
    }
}
