//! Ports of a Service.

use serde_json::{Value, json};

use super::super::names;
use super::super::path::{Errors, each, join, messages, one_of};
use crate::FieldError;
use crate::value::Read as _;

/// Each port by itself, and their names.
pub(super) fn validate(spec: &Value, errors: &mut Errors) {
    let several = spec.list("ports").len() > 1;
    let mut names_seen: Vec<&str> = Vec::new();
    for (path, port) in each(spec, "spec", "ports") {
        let name = port.text("name");
        if name.is_empty() {
            if several {
                errors.push(FieldError::required(&join(&path, "name"), ""));
            }
        } else {
            messages(&join(&path, "name"), name, names::label(name), errors);
            if names_seen.contains(&name) {
                errors.push(FieldError::duplicate(&join(&path, "name"), name));
            }
            names_seen.push(name);
        }
        let number = port.int("port").unwrap_or(0);
        for message in names::port(number) {
            errors.push(FieldError::invalid(&join(&path, "port"), number, &message));
        }
        one_of(port, &path, "protocol", &["SCTP", "TCP", "UDP"], errors);
        target_port(port, &path, errors);
        if let Some(protocol) = port.get("appProtocol").and_then(Value::as_str) {
            messages(
                &join(&path, "appProtocol"),
                protocol,
                names::qualified(protocol),
                errors,
            );
        }
    }
}

fn target_port(port: &Value, path: &str, errors: &mut Errors) {
    let path = join(path, "targetPort");
    match port.get("targetPort") {
        Some(Value::String(name)) => messages(&path, name, names::port_name(name), errors),
        Some(number) => {
            let number = number.as_i64().unwrap_or(0);
            for message in names::port(number) {
                errors.push(FieldError::invalid(&path, number, &message));
            }
        }
        None => {}
    }
}

/// The numbers of all ports together: those of nodes, and those of the Service, each once for a protocol.
pub(super) fn numbers(spec: &Value, errors: &mut Errors) {
    let node_port = |port: &Value| port.int("nodePort").filter(|number| *number != 0);
    if spec.text("type") == "ClusterIP" {
        for (path, _) in each(spec, "spec", "ports").filter(|(_, port)| node_port(port).is_some()) {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.push(FieldError::forbidden(&join(&path, "nodePort"), detail));
        }
    }
    let mut seen: Vec<(i64, &str)> = Vec::new();
    for (path, port) in each(spec, "spec", "ports") {
        let Some(number) = node_port(port) else { continue };
        let key = (number, port.text("protocol"));
        if seen.contains(&key) {
            errors.push(FieldError::duplicate(&join(&path, "nodePort"), number));
        }
        seen.push(key);
    }
    seen.clear();
    for (path, port) in each(spec, "spec", "ports") {
        let key = (port.int("port").unwrap_or(0), port.text("protocol"));
        if seen.contains(&key) {
            let given = json!({"port": key.0, "protocol": key.1});
            errors.push(FieldError::duplicate(&path, given));
        }
        seen.push(key);
    }
}
