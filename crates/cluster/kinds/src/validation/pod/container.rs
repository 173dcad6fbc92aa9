//! Containers: names, images, ports and what they are allowed.

use serde_json::Value;

use super::{environment, ephemeral, mounts, probe, resources, security};
use crate::FieldError;
use crate::validation::names;
use crate::validation::path::{Errors, each, join, messages, one_of};
use crate::value::Read as _;

/// All containers of a Pod.
pub(super) fn containers(spec: &Value, path: &str, volumes: &[&str], errors: &mut Errors) {
    if spec.list("containers").is_empty() {
        errors.push(FieldError::required(&join(path, "containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    let mut host_ports: Vec<String> = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for (path, container) in each(spec, path, list) {
            name(container, &path, &mut seen, errors);
            one(container, &path, volumes, errors);
            match list {
                "initContainers" => initial(container, &path, errors),
                "ephemeralContainers" => ephemeral::one(spec, container, &path, errors),
                _ => regular(spec, container, &path, &mut host_ports, errors),
            }
        }
    }
}

fn name<'a>(container: &'a Value, path: &str, seen: &mut Vec<&'a str>, errors: &mut Errors) {
    let name = container.text("name");
    let path = join(path, "name");
    if name.is_empty() {
        errors.push(FieldError::required(&path, ""));
        return;
    }
    messages(&path, name, names::label(name), errors);
    if seen.contains(&name) {
        errors.push(FieldError::duplicate(&path, name));
    }
    seen.push(name);
}

fn one(container: &Value, path: &str, volumes: &[&str], errors: &mut Errors) {
    let image = container.text("image");
    if image.is_empty() {
        errors.push(FieldError::required(&join(path, "image"), ""));
    } else if image.trim() != image {
        let detail = "must not have leading or trailing whitespace";
        errors.push(FieldError::invalid(&join(path, "image"), image, detail));
    }
    one_of(
        container,
        path,
        "terminationMessagePolicy",
        &["FallbackToLogsOnError", "File"],
        errors,
    );
    one_of(
        container,
        path,
        "imagePullPolicy",
        &["Always", "IfNotPresent", "Never"],
        errors,
    );
    ports(container, path, errors);
    environment::variables(container, path, errors);
    mounts::mounts(container, path, volumes, errors);
    resources::validate(&container["resources"], &join(path, "resources"), errors);
    security::of_container(
        &container["securityContext"],
        &join(path, "securityContext"),
        errors,
    );
    let directory = container.text("workingDir");
    if directory.contains('\0') {
        errors.push(FieldError::invalid(
            &join(path, "workingDir"),
            directory,
            "must not contain a null character",
        ));
    }
}

fn regular(spec: &Value, container: &Value, path: &str, host_ports: &mut Vec<String>, errors: &mut Errors) {
    probe::probes(container, path, errors);
    for (path, port) in each(container, path, "ports") {
        let Some(number) = port.int("hostPort").filter(|number| *number != 0) else {
            continue;
        };
        if spec.flag("hostNetwork") && Some(number) != port.int("containerPort") {
            let detail = "must match `hostPort` when `hostNetwork` is true";
            let given = port.int("containerPort").unwrap_or(0);
            errors.push(FieldError::invalid(&join(&path, "containerPort"), given, detail));
        }
        let taken = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
        if host_ports.contains(&taken) {
            errors.push(FieldError::duplicate(&join(&path, "hostPort"), taken.as_str()));
        }
        host_ports.push(taken);
    }
}

/// Init containers run to their end, unless they are sidecars.
fn initial(container: &Value, path: &str, errors: &mut Errors) {
    if container.text("restartPolicy") == "Always" {
        probe::probes(container, path, errors);
        return;
    }
    for key in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if container.has(key) {
            let detail = "may not be set for init containers without restartPolicy=Always";
            errors.push(FieldError::forbidden(&join(path, key), detail));
        }
    }
}

fn ports(container: &Value, path: &str, errors: &mut Errors) {
    let mut seen: Vec<&str> = Vec::new();
    for (path, port) in each(container, path, "ports") {
        let name = port.text("name");
        if !name.is_empty() {
            let wrong = names::port_name(name);
            if wrong.is_empty() && seen.contains(&name) {
                errors.push(FieldError::duplicate(&join(&path, "name"), name));
            }
            messages(&join(&path, "name"), name, wrong, errors);
            seen.push(name);
        }
        match port.int("containerPort").unwrap_or(0) {
            0 => errors.push(FieldError::required(&join(&path, "containerPort"), "")),
            number => number_in_range(number, &join(&path, "containerPort"), errors),
        }
        if let Some(number) = port.int("hostPort").filter(|number| *number != 0) {
            number_in_range(number, &join(&path, "hostPort"), errors);
        }
        one_of(port, &path, "protocol", &["SCTP", "TCP", "UDP"], errors);
    }
}

fn number_in_range(number: i64, path: &str, errors: &mut Errors) {
    for message in names::port(number) {
        errors.push(FieldError::invalid(path, number, &message));
    }
}
