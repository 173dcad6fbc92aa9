//! Ingresses and their classes. Which hosts a tool may claim is not decided here, but by the platform's webhook.

use serde_json::Value;

use super::names;
use super::path::{Errors, each, join, messages, nth, one_of, required};
use crate::FieldError;
use crate::value::{Read as _, text_at};

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
/// Longest name of a controller, in bytes.
const CONTROLLER_BYTES: usize = 250;

/// Rules, backends and TLS.
pub(super) fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if spec.list("rules").is_empty() && !spec.has("defaultBackend") {
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid("spec", spec.list("rules").to_vec(), detail));
    }
    if let Some(default) = spec.get("defaultBackend") {
        backend(default, "spec.defaultBackend", errors);
    }
    for (path, rule) in each(spec, "spec", "rules") {
        host(rule.text("host"), &join(&path, "host"), errors);
        if let Some(http) = rule.get("http") {
            http_paths(http, &join(&path, "http"), errors);
        }
    }
    for (path, tls) in each(spec, "spec", "tls") {
        for (index, name) in tls.list("hosts").iter().enumerate() {
            host(
                name.as_str().unwrap_or_default(),
                &nth(&path, "hosts", index),
                errors,
            );
        }
        let secret = tls.text("secretName");
        if !secret.is_empty() {
            messages(
                &join(&path, "secretName"),
                secret,
                names::subdomain(secret),
                errors,
            );
        }
    }
    let class = spec.text("ingressClassName");
    if !class.is_empty() {
        messages("spec.ingressClassName", class, names::subdomain(class), errors);
    }
}

/// A new Ingress names its class in one place.
pub(super) fn validate_new(object: &Value, errors: &mut Errors) {
    let annotation = text_at(object, &["metadata", "annotations", CLASS_ANNOTATION]);
    if !annotation.is_empty() && object["spec"].has("ingressClassName") {
        let path = format!("metadata.annotations.{CLASS_ANNOTATION}");
        errors.push(FieldError::invalid(
            &path,
            annotation,
            "can not be set when the class field is also set",
        ));
    }
}

fn host(host: &str, path: &str, errors: &mut Errors) {
    if host.is_empty() {
        return;
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        errors.push(FieldError::invalid(
            path,
            host,
            "must be a DNS name, not an IP address",
        ));
        return;
    }
    let rule = if host.contains('*') {
        names::wildcard
    } else {
        names::subdomain
    };
    messages(path, host, rule(host), errors);
}

fn http_paths(http: &Value, path: &str, errors: &mut Errors) {
    if http.list("paths").is_empty() {
        errors.push(FieldError::required(&join(path, "paths"), ""));
    }
    for (path, entry) in each(http, path, "paths") {
        http_path(entry, &path, errors);
        match entry.get("backend") {
            Some(found) => backend(found, &join(&path, "backend"), errors),
            None => errors.push(FieldError::required(
                &join(&path, "backend"),
                "resource or service backend is required",
            )),
        }
    }
}

fn http_path(entry: &Value, path: &str, errors: &mut Errors) {
    let kind = entry.text("pathType");
    let text = entry.text("path");
    let at = join(path, "path");
    match kind {
        "" => errors.push(FieldError::required(
            &join(path, "pathType"),
            "pathType must be specified",
        )),
        "Exact" | "Prefix" => {
            if !text.starts_with('/') {
                errors.push(FieldError::invalid(&at, text, "must be an absolute path"));
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if text.contains(part) {
                    errors.push(FieldError::invalid(
                        &at,
                        text,
                        &format!("must not contain '{part}'"),
                    ));
                }
            }
            for end in ["/..", "/."] {
                if text.ends_with(end) {
                    errors.push(FieldError::invalid(
                        &at,
                        text,
                        &format!("cannot end with '{end}'"),
                    ));
                }
            }
        }
        "ImplementationSpecific" => {
            if !text.is_empty() && !text.starts_with('/') {
                errors.push(FieldError::invalid(&at, text, "must be an absolute path"));
            }
        }
        other => {
            let known = ["Exact", "ImplementationSpecific", "Prefix"];
            errors.push(FieldError::not_supported(&join(path, "pathType"), other, &known));
        }
    }
}

fn backend(backend: &Value, path: &str, errors: &mut Errors) {
    match (backend.get("service"), backend.has("resource")) {
        (Some(_), true) => {
            errors.push(FieldError::invalid(
                path,
                "",
                "cannot set both resource and service backends",
            ));
        }
        (None, false) => errors.push(FieldError::required(
            path,
            "resource or service backend is required",
        )),
        (None, true) => {}
        (Some(service), false) => {
            let at = join(path, "service");
            if let Some(name) = required(service, &at, "name", errors) {
                messages(&join(&at, "name"), name, names::label(name), errors);
            }
            backend_port(service, path, errors);
        }
    }
}

fn backend_port(service: &Value, path: &str, errors: &mut Errors) {
    let name = text_at(service, &["port", "name"]);
    let number = service
        .at(&["port", "number"])
        .and_then(Value::as_i64)
        .unwrap_or(0);
    match (name.is_empty(), number) {
        (true, 0) => errors.push(FieldError::required(path, "port name or number is required")),
        (true, number) => {
            for message in names::port(number) {
                errors.push(FieldError::invalid(
                    &join(path, "service.port.number"),
                    number,
                    &message,
                ));
            }
        }
        (false, 0) => messages(
            &join(path, "service.port.name"),
            name,
            names::port_name(name),
            errors,
        ),
        (false, _) => errors.push(FieldError::invalid(
            path,
            "",
            "cannot set both port name & port number",
        )),
    }
}

/// A class.
pub(super) fn class(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let Some(controller) = required(spec, "spec", "controller", errors) else {
        return;
    };
    if controller.len() > CONTROLLER_BYTES {
        errors.push(FieldError::too_long("spec.controller", CONTROLLER_BYTES));
    }
    super::path::prefixed_path("spec.controller", controller, errors);
    if let Some(parameters) = spec.get("parameters") {
        required(parameters, "spec.parameters", "kind", errors);
        required(parameters, "spec.parameters", "name", errors);
        one_of(
            parameters,
            "spec.parameters",
            "scope",
            &["Cluster", "Namespace"],
            errors,
        );
    }
}
