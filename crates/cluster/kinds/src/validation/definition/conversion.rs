//! How the versions of a definition are converted: by name alone, or by a webhook.
//!
//! Paths are those of Kubernetes' messages, in which the webhook's fields stand one level higher than in the object.
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::path::Errors;
use super::super::{names, webhook};
use crate::FieldError;
use crate::value::Read as _;

const CLIENT: &str = "spec.conversion.webhookClientConfig";
const VERSIONS: &str = "spec.conversion.conversionReviewVersions";
/// Forms of review that we speak.
const SPOKEN: &[&str] = &["v1", "v1beta1"];
/// What Kubernetes says of what only a webhook has.
const NO_WEBHOOK: &str = "should not be set when strategy is not set to Webhook";

/// The field `spec.conversion`.
pub(super) fn validate(conversion: &Value, errors: &mut Errors) {
    let webhook = &conversion["webhook"];
    match conversion.text("strategy") {
        "Webhook" => of_webhook(webhook, errors),
        "None" => {
            if webhook.has("clientConfig") {
                errors.push(FieldError::forbidden(CLIENT, NO_WEBHOOK));
            }
            if !webhook.list("conversionReviewVersions").is_empty() {
                errors.push(FieldError::forbidden(VERSIONS, NO_WEBHOOK));
            }
        }
        "" => errors.push(FieldError::required("spec.conversion.strategy", "")),
        other => errors.push(FieldError::not_supported(
            "spec.conversion.strategy",
            other,
            &["None", "Webhook"],
        )),
    }
}

fn of_webhook(found: &Value, errors: &mut Errors) {
    if found.has("clientConfig") {
        let client = &found["clientConfig"];
        webhook::client(client, CLIENT, errors);
        authority(client.text("caBundle"), errors);
    } else {
        errors.push(FieldError::required(
            CLIENT,
            "required when strategy is set to Webhook",
        ));
    }
    review_versions(found.list("conversionReviewVersions"), errors);
}

fn authority(bundle: &str, errors: &mut Errors) {
    let pem = STANDARD.decode(bundle).unwrap_or_default();
    let holds_one = String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----");
    if !bundle.is_empty() && !holds_one {
        let detail = "unable to load root certificates: unable to parse bytes as PEM block";
        errors.push(FieldError::invalid(&format!("{CLIENT}.caBundle"), bundle, detail));
    }
}

fn review_versions(versions: &[Value], errors: &mut Errors) {
    if versions.is_empty() {
        errors.push(FieldError::required(VERSIONS, ""));
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let path = format!("{VERSIONS}[{index}]");
        if versions[..index].contains(version) {
            errors.push(FieldError::invalid(&path, version.clone(), "duplicate version"));
            continue;
        }
        for problem in names::label_1035(version.as_str().unwrap_or_default()) {
            errors.push(FieldError::invalid(&path, version.clone(), &problem));
        }
    }
    let is_spoken = |version: &Value| version.as_str().is_some_and(|name| SPOKEN.contains(&name));
    if !versions.iter().any(is_spoken) {
        let detail = "must include at least one of v1, v1beta1";
        errors.push(FieldError::invalid(VERSIONS, versions.to_vec(), detail));
    }
}
