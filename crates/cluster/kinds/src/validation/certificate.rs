//! Certificate requests. The signature is verified by the signer, not here.

use base64::Engine as _;
use serde_json::Value;

use super::names;
use super::path::{Errors, join};
use crate::FieldError;
use crate::value::{Read as _, int_at, list_at, text_at};

/// Shortest lifetime that may be asked for, in seconds.
const SHORTEST_SECONDS: i64 = 600;
const USAGES: &[&str] = &[
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// Request, signer, usages and lifetime.
pub(super) fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let request = spec.text("request");
    if request.is_empty() {
        errors.push(FieldError::required("spec.request", ""));
    } else if let Some(why) = request_error(request) {
        errors.push(FieldError::invalid("spec.request", request, why));
    }
    if spec.list("usages").is_empty() {
        errors.push(FieldError::required("spec.usages", ""));
    }
    let mut seen: Vec<&Value> = Vec::new();
    for (index, usage) in spec.list("usages").iter().enumerate() {
        let path = format!("spec.usages[{index}]");
        if !USAGES.contains(&usage.as_str().unwrap_or_default()) {
            errors.push(FieldError::not_supported(&path, usage.clone(), USAGES));
        } else if seen.contains(&usage) {
            errors.push(FieldError::duplicate(&path, usage.clone()));
        }
        seen.push(usage);
    }
    signer(spec.text("signerName"), errors);
    if let Some(seconds) =
        int_at(object, &["spec", "expirationSeconds"]).filter(|seconds| *seconds < SHORTEST_SECONDS)
    {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid("spec.expirationSeconds", seconds, detail));
    }
}

/// One PEM block with base64 inside; the bytes below `data` in JSON are base64 of it.
fn request_error(request: &str) -> Option<&'static str> {
    const WRONG: &str = "PEM block type must be CERTIFICATE REQUEST";
    let decode = |text: &str| {
        base64::engine::general_purpose::STANDARD
            .decode(text.replace(['\n', '\r'], ""))
            .ok()
    };
    let Some(pem) = decode(request).and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Some(WRONG);
    };
    let after = pem
        .trim_start()
        .strip_prefix("-----BEGIN CERTIFICATE REQUEST-----");
    let body = after
        .and_then(|after| after.split_once("-----END CERTIFICATE REQUEST-----"))
        .map(|(body, _)| body);
    match body.map(|body| decode(body.trim())) {
        // A DER sequence of some length: the signer reads the rest.
        Some(Some(der)) if der.first() == Some(&0x30) => None,
        Some(_) => Some("PEM block does not hold a certificate request"),
        None => Some(WRONG),
    }
}

fn signer(name: &str, errors: &mut Errors) {
    let path = "spec.signerName";
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let form = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    match name.split_once('/') {
        None => errors.push(FieldError::invalid(path, name, form)),
        Some((domain, rest)) => {
            let found = names::subdomain(domain);
            if !found.is_empty() || !domain.contains('.') || rest.is_empty() {
                errors.push(FieldError::invalid(path, name, form));
            } else {
                super::path::messages(path, name, names::subdomain(&rest.replace(':', ".")), errors);
            }
        }
    }
    if name == "kubernetes.io/legacy-unknown" {
        errors.push(FieldError::invalid(
            path,
            name,
            "the legacy signerName is not allowed via this API version",
        ));
    }
}

/// A verdict is final, and is either yes or no.
pub(super) fn validate_conditions(old: &Value, new: &Value, errors: &mut Errors) {
    let path = "status.conditions";
    let conditions = list_at(new, &["status", "conditions"]);
    let has = |list: &[Value], kind: &str| list.iter().any(|condition| condition.text("type") == kind);
    let mut seen: Vec<&str> = Vec::new();
    for (index, condition) in conditions.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let kind = condition.text("type");
        if kind.is_empty() {
            errors.push(FieldError::required(&join(&path, "type"), ""));
        } else if seen.contains(&kind) {
            errors.push(FieldError::duplicate(&join(&path, "type"), kind));
        }
        seen.push(kind);
        let status = condition.text("status");
        let fits = match kind {
            "Approved" | "Denied" | "Failed" => &["True"][..],
            _ => &["True", "False", "Unknown"][..],
        };
        if status.is_empty() {
            errors.push(FieldError::required(&join(&path, "status"), ""));
        } else if !fits.contains(&status) {
            errors.push(FieldError::not_supported(&join(&path, "status"), status, fits));
        }
    }
    if has(conditions, "Approved") && has(conditions, "Denied") {
        let detail = "Approved and Denied conditions are mutually exclusive";
        errors.push(FieldError::invalid(path, "Denied", detail));
    }
    let before = list_at(old, &["status", "conditions"]);
    for kind in ["Approved", "Denied", "Failed"] {
        if has(before, kind) && !has(conditions, kind) {
            let detail = format!("updates may not remove a condition of type \"{kind}\"");
            errors.push(FieldError::forbidden(path, &detail));
        }
    }
    let issued = text_at(old, &["status", "certificate"]);
    if !issued.is_empty() && issued != text_at(new, &["status", "certificate"]) {
        errors.push(FieldError::forbidden(
            "status.certificate",
            "updates may not change an issued certificate",
        ));
    }
}
