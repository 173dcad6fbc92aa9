//! Probes and lifecycle handlers.

use serde_json::Value;

use crate::FieldError;
use crate::validation::names;
use crate::validation::path::{Errors, each, join, messages, not_negative, one_of, required};
use crate::value::Read as _;

const PROBE_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "grpc"];
const LIFECYCLE_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "sleep"];

/// The three probes of a container, and what it does at its start and end.
pub(super) fn probes(container: &Value, path: &str, errors: &mut Errors) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = container.get(key) {
            probe(found, key, &join(path, key), errors);
        }
    }
    if let Some(lifecycle) = container.get("lifecycle") {
        for key in ["postStart", "preStop"] {
            if let Some(found) = lifecycle.get(key) {
                handler(
                    found,
                    &join(path, &format!("lifecycle.{key}")),
                    LIFECYCLE_HANDLERS,
                    errors,
                );
            }
        }
    }
}

fn probe(probe: &Value, kind: &str, path: &str, errors: &mut Errors) {
    handler(probe, path, PROBE_HANDLERS, errors);
    let numbers = [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ];
    not_negative(probe, path, &numbers, errors);
    if let Some(seconds) = probe.int("terminationGracePeriodSeconds") {
        let at = join(path, "terminationGracePeriodSeconds");
        if kind == "readinessProbe" {
            errors.push(FieldError::invalid(
                &at,
                seconds,
                "must not be set for readinessProbes",
            ));
        } else if seconds <= 0 {
            errors.push(FieldError::invalid(&at, seconds, "must be greater than 0"));
        }
    }
    if kind != "readinessProbe"
        && let Some(count) = probe.int("successThreshold").filter(|count| *count != 1)
    {
        errors.push(FieldError::invalid(
            &join(path, "successThreshold"),
            count,
            "must be 1",
        ));
    }
}

fn handler(handler: &Value, path: &str, known: &[&str], errors: &mut Errors) {
    let mut count = 0;
    for kind in known {
        let Some(action) = handler.get(kind).filter(|action| !action.is_null()) else {
            continue;
        };
        let at = join(path, kind);
        count += 1;
        if count > 1 {
            errors.push(FieldError::forbidden(
                &at,
                "may not specify more than 1 handler type",
            ));
            continue;
        }
        match *kind {
            "exec" if action.list("command").is_empty() => {
                errors.push(FieldError::required(&join(&at, "command"), ""));
            }
            "httpGet" => http_get(action, &at, errors),
            "tcpSocket" | "grpc" => port(action.get("port"), &join(&at, "port"), errors),
            _ => {}
        }
    }
    if count == 0 {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
}

fn http_get(action: &Value, path: &str, errors: &mut Errors) {
    required(action, path, "path", errors);
    port(action.get("port"), &join(path, "port"), errors);
    one_of(action, path, "scheme", &["HTTP", "HTTPS"], errors);
    for (path, header) in each(action, path, "httpHeaders") {
        let name = header.text("name");
        messages(&join(&path, "name"), name, names::header(name), errors);
    }
}

/// The number or the name of a port.
fn port(value: Option<&Value>, path: &str, errors: &mut Errors) {
    match value {
        Some(Value::String(name)) => messages(path, name, names::port_name(name), errors),
        number => {
            let number = number.and_then(Value::as_i64).unwrap_or(0);
            for message in names::port(number) {
                errors.push(FieldError::invalid(path, number, &message));
            }
        }
    }
}
