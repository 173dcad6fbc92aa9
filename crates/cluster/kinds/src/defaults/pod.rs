//! Defaults of Pods and Pod templates (`pkg/apis/core/v1/defaults.go`).

use serde_json::{Value, json};

use crate::value::{Read as _, child, default, default_text, ensure, items};

/// Seconds between the order to stop and the kill.
const TERMINATION_GRACE_PERIOD_SECONDS: i64 = 30;
/// Mode of files in volumes made from objects: 0644.
const FILE_MODE: i64 = 0o644;
/// Lifetime of projected service-account tokens, in seconds.
const TOKEN_EXPIRATION_SECONDS: i64 = 3600;

/// A Pod: its template's defaults, and those that only Pods have.
pub(super) fn pod(pod: &mut Value) {
    let Some(spec) = ensure(pod, "spec") else { return };
    pod_spec(spec);
    default(spec, "enableServiceLinks", true);
    let host_network = spec.flag("hostNetwork");
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            request_what_is_limited(container);
            if host_network {
                bind_host_ports(container);
            }
        }
    }
}

/// A Pod's specification, also in a template.
pub(super) fn pod_spec(spec: &mut Value) {
    default_text(spec, "restartPolicy", "Always");
    default_text(spec, "dnsPolicy", "ClusterFirst");
    default_text(spec, "schedulerName", "default-scheduler");
    default(
        spec,
        "terminationGracePeriodSeconds",
        TERMINATION_GRACE_PERIOD_SECONDS,
    );
    default(spec, "securityContext", json!({}));
    same_service_account(spec);
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        items(spec, list).for_each(container);
    }
    items(spec, "volumes").for_each(volume);
}

/// `serviceAccount` is the old name of `serviceAccountName`; both are always shown.
fn same_service_account(spec: &mut Value) {
    let name = spec.text("serviceAccountName").to_owned();
    let old_name = spec.text("serviceAccount").to_owned();
    if !name.is_empty() {
        spec["serviceAccount"] = name.into();
    } else if !old_name.is_empty() {
        spec["serviceAccountName"] = old_name.into();
    }
}

fn container(container: &mut Value) {
    let policy = pull_policy(container.text("image"));
    default_text(container, "imagePullPolicy", policy);
    default_text(container, "terminationMessagePath", "/dev/termination-log");
    default_text(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    for port in items(container, "ports") {
        default_text(port, "protocol", "TCP");
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = child(container, name) {
            probe(found);
        }
    }
    if let Some(lifecycle) = child(container, "lifecycle") {
        for name in ["postStart", "preStop"] {
            if let Some(handler) = child(lifecycle, name) {
                http_get(handler);
            }
        }
    }
    for variable in items(container, "env") {
        if let Some(source) = child(variable, "valueFrom") {
            field_reference(source);
        }
    }
}

fn probe(probe: &mut Value) {
    for (key, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if probe.int(key).unwrap_or(0) == 0 {
            probe[key] = value.into();
        }
    }
    http_get(probe);
    if let Some(grpc) = child(probe, "grpc") {
        default(grpc, "service", "");
    }
}

fn http_get(handler: &mut Value) {
    if let Some(action) = child(handler, "httpGet") {
        default_text(action, "path", "/");
        default_text(action, "scheme", "HTTP");
    }
}

fn field_reference(source: &mut Value) {
    if let Some(reference) = child(source, "fieldRef") {
        default_text(reference, "apiVersion", "v1");
    }
}

/// `Always` for what a tag may mean something else tomorrow: `latest`, said or implied.
fn pull_policy(image: &str) -> &'static str {
    let (name, has_digest) = image
        .split_once('@')
        .map_or((image, false), |(name, _)| (name, true));
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, "latest")) => "Always",
        None if !has_digest => "Always",
        Some(_) | None => "IfNotPresent",
    }
}

/// A limit without a request asks for all of it.
fn request_what_is_limited(container: &mut Value) {
    let Some(resources) = child(container, "resources") else {
        return;
    };
    let Some(limits) = resources.map("limits").cloned() else {
        return;
    };
    if let Some(requests) = ensure(resources, "requests") {
        for (name, limit) in limits {
            default(requests, &name, limit);
        }
    }
}

fn bind_host_ports(container: &mut Value) {
    for port in items(container, "ports") {
        if port.int("hostPort").unwrap_or(0) == 0
            && let Some(number) = port.int("containerPort")
        {
            port["hostPort"] = number.into();
        }
    }
}

fn volume(volume: &mut Value) {
    if volume
        .as_object()
        .is_some_and(|map| map.keys().all(|key| key == "name"))
    {
        volume["emptyDir"] = json!({});
    }
    for kind in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = child(volume, kind) {
            default(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(source) = child(volume, "hostPath") {
        default(source, "type", "");
    }
    if let Some(source) = child(volume, "downwardAPI") {
        items(source, "items").for_each(field_reference);
    }
    if let Some(source) = child(volume, "projected") {
        items(source, "sources").for_each(projection);
    }
}

fn projection(projection: &mut Value) {
    if let Some(token) = child(projection, "serviceAccountToken") {
        default(token, "expirationSeconds", TOKEN_EXPIRATION_SECONDS);
    }
    if let Some(fields) = child(projection, "downwardAPI") {
        items(fields, "items").for_each(field_reference);
    }
}

#[cfg(test)]
mod tests {
    use super::pull_policy;

    #[test]
    fn images_without_a_fixed_tag_are_always_pulled() {
        let cases = [
            ("a", "Always"),
            ("a:latest", "Always"),
            ("a:1", "IfNotPresent"),
            ("reg:5000/a", "Always"),
            ("reg:5000/a:1", "IfNotPresent"),
            ("a@sha256:00", "IfNotPresent"),
            ("a:latest@sha256:00", "Always"),
        ];
        for (image, policy) in cases {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
