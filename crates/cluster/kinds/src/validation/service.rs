//! Services. Whether an address is free, the API server knows.

use serde_json::{Value, json};

use super::path::{Errors, each, join, messages, one_of, required};
use super::{labels, names};
use crate::FieldError;
use crate::value::{Read as _, int_at, text_at};

/// Type, ports, address and affinity.
pub(super) fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let kind = spec.text("type");
    let headless = spec.text("clusterIP") == "None";
    if spec.list("ports").is_empty() && !headless && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    match kind {
        "LoadBalancer" if spec.list("ports").iter().any(is_kubelets) => kubelet_port(spec, errors),
        "LoadBalancer" | "NodePort" if headless => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.push(FieldError::invalid("spec.clusterIPs[0]", "None", &detail));
        }
        "ExternalName" => external_name(spec, errors),
        _ => {}
    }
    ports(spec, errors);
    labels::labels(spec.get("selector"), "spec.selector", errors);
    one_of(spec, "spec", "sessionAffinity", &["ClientIP", "None"], errors);
    affinity(spec, errors);
    one_of(
        spec,
        "spec",
        "type",
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        errors,
    );
    addresses(spec, errors);
    balancing(spec, errors);
    for key in ["internalTrafficPolicy", "externalTrafficPolicy"] {
        super::path::optional_one_of(spec, "spec", key, &["Cluster", "Local"], errors);
    }
    if kind == "ClusterIP" && spec.has("externalTrafficPolicy") && spec.list("externalIPs").is_empty() {
        let detail = "may only be set for externally-accessible services";
        let given = spec.text("externalTrafficPolicy");
        errors.push(FieldError::invalid("spec.externalTrafficPolicy", given, detail));
    }
}

/// The port of the node's own API, which must not be given away by the way.
const KUBELET_PORT: i64 = 10_250;

fn is_kubelets(port: &Value) -> bool {
    port.int("port") == Some(KUBELET_PORT)
}

fn kubelet_port(spec: &Value, errors: &mut Errors) {
    for (path, _) in each(spec, "spec", "ports").filter(|(_, port)| is_kubelets(port)) {
        let why = format!("may not expose port {KUBELET_PORT} externally since it is used by kubelet");
        errors.push(FieldError::invalid(&path, KUBELET_PORT, &why));
    }
}

/// Longest time in seconds that a client stays with one Pod: a day.
const AFFINITY_SECONDS: i64 = 86_400;

fn affinity(spec: &Value, errors: &mut Errors) {
    let path = "spec.sessionAffinityConfig";
    match spec.text("sessionAffinity") {
        "ClientIP" => {
            let Some(seconds) = int_at(spec, &["sessionAffinityConfig", "clientIP", "timeoutSeconds"]) else {
                let why = "when session affinity type is ClientIP";
                errors.push(FieldError::required(path, why));
                return;
            };
            if !(1..=AFFINITY_SECONDS).contains(&seconds) {
                let why = format!("must be greater than 0 and less than {AFFINITY_SECONDS}");
                let path = join(path, "clientIP.timeoutSeconds");
                errors.push(FieldError::invalid(&path, seconds, &why));
            }
        }
        "None" if spec.has("sessionAffinityConfig") => {
            let why = "must not be set when session affinity is None";
            errors.push(FieldError::forbidden(path, why));
        }
        _ => {}
    }
}

/// What only load balancers have.
fn balancing(spec: &Value, errors: &mut Errors) {
    let is_balanced = spec.text("type") == "LoadBalancer";
    let only = "may only be used when `type` is 'LoadBalancer'";
    if !is_balanced {
        if !spec.list("loadBalancerSourceRanges").is_empty() {
            errors.push(FieldError::forbidden("spec.LoadBalancerSourceRanges", only));
        }
        for key in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if spec.has(key) {
                errors.push(FieldError::forbidden(&join("spec", key), only));
            }
        }
    }
    let checked = is_balanced && spec.text("externalTrafficPolicy") == "Local";
    if let Some(port) = spec
        .int("healthCheckNodePort")
        .filter(|port| *port != 0 && !checked)
    {
        let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.push(FieldError::invalid("spec.healthCheckNodePort", port, why));
    }
    let near = ["PreferClose", "PreferSameNode", "PreferSameZone"];
    super::path::optional_one_of(spec, "spec", "trafficDistribution", &near, errors);
}

fn external_name(spec: &Value, errors: &mut Errors) {
    for key in ["clusterIP", "clusterIPs"] {
        if !spec.text(key).is_empty() || !spec.list(key).is_empty() {
            let detail = "may not be set for ExternalName services";
            errors.push(FieldError::forbidden(&join("spec", key), detail));
        }
    }
    if let Some(name) = required(spec, "spec", "externalName", errors) {
        // A dot at the end makes a domain name absolute.
        let name = name.strip_suffix('.').unwrap_or(name);
        messages("spec.externalName", name, names::subdomain(name), errors);
    }
}

fn ports(spec: &Value, errors: &mut Errors) {
    let several = spec.list("ports").len() > 1;
    let mut names_seen: Vec<&str> = Vec::new();
    let mut ports_seen: Vec<(i64, &str)> = Vec::new();
    let mut node_ports_seen: Vec<(i64, &str)> = Vec::new();
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
        let protocol = port.text("protocol");
        for message in names::port(number) {
            errors.push(FieldError::invalid(&join(&path, "port"), number, &message));
        }
        one_of(port, &path, "protocol", &["SCTP", "TCP", "UDP"], errors);
        target_port(port, &path, errors);
        if ports_seen.contains(&(number, protocol)) {
            errors.push(FieldError::duplicate(
                &path,
                json!({"port": number, "protocol": protocol}),
            ));
        }
        ports_seen.push((number, protocol));
        node_port(spec, port, &path, &mut node_ports_seen, errors);
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

fn node_port<'a>(
    spec: &Value,
    port: &'a Value,
    path: &str,
    seen: &mut Vec<(i64, &'a str)>,
    errors: &mut Errors,
) {
    let Some(number) = port.int("nodePort").filter(|number| *number != 0) else {
        return;
    };
    let kind = spec.text("type");
    let path = join(path, "nodePort");
    if matches!(kind, "ClusterIP" | "ExternalName") {
        errors.push(FieldError::forbidden(
            &path,
            &format!("may not be used when `type` is '{kind}'"),
        ));
        return;
    }
    let key = (number, port.text("protocol"));
    if seen.contains(&key) {
        errors.push(FieldError::duplicate(&path, number));
    }
    seen.push(key);
}

fn addresses(spec: &Value, errors: &mut Errors) {
    if spec.text("type") == "ExternalName" {
        return;
    }
    for (index, address) in spec.list("clusterIPs").iter().enumerate() {
        let address = address.as_str().unwrap_or_default();
        if address != "None" {
            messages(
                &format!("spec.clusterIPs[{index}]"),
                address,
                names::address(address),
                errors,
            );
        }
    }
    let first = spec
        .list("clusterIPs")
        .first()
        .and_then(Value::as_str)
        .unwrap_or_default();
    let address = spec.text("clusterIP");
    if !first.is_empty() && !address.is_empty() && first != address {
        let detail = "first value must match `clusterIP`";
        errors.push(FieldError::invalid(
            "spec.clusterIPs",
            spec["clusterIPs"].clone(),
            detail,
        ));
    }
    for (index, address) in spec.list("externalIPs").iter().enumerate() {
        let address = address.as_str().unwrap_or_default();
        messages(
            &format!("spec.externalIPs[{index}]"),
            address,
            names::address(address),
            errors,
        );
    }
}

/// The address stays as long as the Service has one.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let external = |service: &Value| text_at(service, &["spec", "type"]) == "ExternalName";
    if external(old) || external(new) {
        return;
    }
    let (before, after) = (
        text_at(old, &["spec", "clusterIP"]),
        text_at(new, &["spec", "clusterIP"]),
    );
    if !before.is_empty() && before != after {
        let given = new.at(&["spec", "clusterIPs"]).cloned().unwrap_or_default();
        errors.push(FieldError::invalid(
            "spec.clusterIPs[0]",
            given,
            "may not change once set",
        ));
    }
}
