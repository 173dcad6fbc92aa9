//! Services (`ValidateService` of `pkg/apis/core/validation`). Whether an address is free, the API server knows.

mod addresses;
mod ports;

use serde_json::Value;

use super::path::{Errors, each, join, messages, one_of, optional_one_of, required};
use super::{labels, names};
use crate::FieldError;
use crate::value::{Read as _, int_at};

/// Type, ports, address and affinity, in the order of `ValidateService`.
pub(super) fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let kind = spec.text("type");
    topology(object, errors);
    let headless = addresses::is_headless(spec);
    if spec.list("ports").is_empty() && !headless && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    if kind == "LoadBalancer" {
        kubelet_port(spec, errors);
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.push(FieldError::invalid("spec.clusterIPs[0]", "None", &detail));
        }
        "ExternalName" => external_name(spec, errors),
        _ => {}
    }
    ports::validate(spec, errors);
    labels::labels(spec.get("selector"), "spec.selector", errors);
    one_of(spec, "spec", "sessionAffinity", &["ClientIP", "None"], errors);
    affinity(spec, errors);
    addresses::validate(spec, errors);
    one_of(
        spec,
        "spec",
        "type",
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        errors,
    );
    ports::numbers(spec, errors);
    source_ranges(object, errors);
    balancing(spec, errors);
    outer_traffic(spec, errors);
    let near = ["PreferClose", "PreferSameNode", "PreferSameZone"];
    optional_one_of(spec, "spec", "internalTrafficPolicy", POLICIES, errors);
    optional_one_of(spec, "spec", "trafficDistribution", &near, errors);
}

const POLICIES: &[&str] = &["Cluster", "Local"];
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

fn topology(object: &Value, errors: &mut Errors) {
    let of = |key: &str| object.at(&["metadata", "annotations", key]);
    if let (Some(mode), Some(hints)) = (of(TOPOLOGY_MODE), of(TOPOLOGY_HINTS))
        && mode != hints
    {
        let path = format!("metadata.annotations[{TOPOLOGY_MODE}]");
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        errors.push(FieldError::invalid(&path, mode.clone(), &detail));
    }
}

/// What load balancers let in, as a field or, as once, an annotation.
fn source_ranges(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let field = spec.list("loadBalancerSourceRanges");
    let annotation = object
        .at(&["metadata", "annotations", SOURCE_RANGES])
        .and_then(Value::as_str);
    let (path, ranges): (_, Vec<(String, &str)>) = if !field.is_empty() {
        let path = "spec.LoadBalancerSourceRanges".to_owned();
        let texts = field.iter().map(|range| range.as_str().unwrap_or_default());
        let ranges = texts
            .enumerate()
            .map(|(at, text)| (format!("{path}[{at}]"), text));
        let ranges = ranges.collect();
        (path, ranges)
    } else if let Some(text) = annotation {
        let path = format!("metadata.annotations[{SOURCE_RANGES}]");
        let texts = text.split(',').filter(|_| !text.trim().is_empty());
        let ranges = texts.map(|text| (path.clone(), text)).collect();
        (path, ranges)
    } else {
        return;
    };
    if spec.text("type") != "LoadBalancer" {
        errors.push(FieldError::forbidden(&path, ONLY_BALANCERS));
    }
    for (path, text) in ranges {
        let text = text.trim();
        messages(&path, text, names::network(text), errors);
    }
}

/// The port of the node's own API, which must not be given away by the way.
const KUBELET_PORT: i64 = 10_250;

fn kubelet_port(spec: &Value, errors: &mut Errors) {
    for (path, _) in each(spec, "spec", "ports").filter(|(_, port)| port.int("port") == Some(KUBELET_PORT)) {
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

const ONLY_BALANCERS: &str = "may only be used when `type` is 'LoadBalancer'";

/// What only load balancers have.
fn balancing(spec: &Value, errors: &mut Errors) {
    if spec.text("type") == "LoadBalancer" {
        if let Some(class) = spec.get("loadBalancerClass").and_then(Value::as_str) {
            messages("spec.loadBalancerClass", class, names::qualified(class), errors);
        }
        return;
    }
    for key in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if spec.has(key) {
            errors.push(FieldError::forbidden(&join("spec", key), ONLY_BALANCERS));
        }
    }
}

/// Whether each node tells a load balancer that it has Pods of the Service.
fn is_checked(spec: &Value) -> bool {
    spec.text("type") == "LoadBalancer" && spec.text("externalTrafficPolicy") == "Local"
}

/// What only Services have that can be reached from outside.
fn outer_traffic(spec: &Value, errors: &mut Errors) {
    let path = "spec.externalTrafficPolicy";
    let given = spec.text("externalTrafficPolicy");
    let is_outer = match spec.text("type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !spec.list("externalIPs").is_empty(),
        _ => false,
    };
    if is_outer {
        one_of(spec, "spec", "externalTrafficPolicy", POLICIES, errors);
    } else if !given.is_empty() {
        let detail = "may only be set for externally-accessible services";
        errors.push(FieldError::invalid(path, given, detail));
    }
    let path = "spec.healthCheckNodePort";
    let Some(port) = spec.int("healthCheckNodePort").filter(|port| *port != 0) else {
        return;
    };
    if !is_checked(spec) {
        let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.push(FieldError::invalid(path, port, why));
        return;
    }
    for message in names::port(port) {
        errors.push(FieldError::invalid(path, port, &message));
    }
}

fn external_name(spec: &Value, errors: &mut Errors) {
    for key in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
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

/// What only a new Service may not ask for.
pub(super) fn validate_new(object: &Value, errors: &mut Errors) {
    addresses::validate_new(&object["spec"], errors);
}

/// What of a Service stays as long as it has an address, and of a balancer as long as it is one.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["spec"], &new["spec"]);
    addresses::validate_update(old, new, errors);
    let balanced = |spec: &Value| spec.text("type") == "LoadBalancer";
    if balanced(old) && balanced(new) && old.text("loadBalancerClass") != new.text("loadBalancerClass") {
        let given = new.get("loadBalancerClass").cloned().unwrap_or_default();
        errors.push(FieldError::invalid("spec.loadBalancerClass", given, ONCE_SET));
    }
    if is_checked(old)
        && is_checked(new)
        && old.int("healthCheckNodePort").unwrap_or(0) != new.int("healthCheckNodePort").unwrap_or(0)
    {
        let path = "spec.healthCheckNodePort";
        errors.push(FieldError::forbidden(path, super::path::IMMUTABLE));
    }
}

const ONCE_SET: &str = "may not change once set";

/// What a load balancer says of the addresses that it gives.
pub(super) fn validate_status(object: &Value, errors: &mut Errors) {
    let path = "status.loadBalancer";
    let balancer = &object["status"]["loadBalancer"];
    let entries = balancer.list("ingress");
    if object["spec"].text("type") != "LoadBalancer" && !entries.is_empty() {
        let detail = "may only be used when `spec.type` is 'LoadBalancer'";
        errors.push(FieldError::forbidden(&join(path, "ingress"), detail));
        return;
    }
    for (path, entry) in each(balancer, path, "ingress") {
        let ip = entry.text("ip");
        if !ip.is_empty() {
            messages(&join(&path, "ip"), ip, names::address(ip), errors);
            if !entry.has("ipMode") {
                errors.push(FieldError::required(
                    &join(&path, "ipMode"),
                    "must be specified when `ip` is set",
                ));
            }
        } else if entry.has("ipMode") {
            let detail = "may not be specified when `ip` is not set";
            errors.push(FieldError::forbidden(&join(&path, "ipMode"), detail));
        }
        optional_one_of(entry, &path, "ipMode", &["Proxy", "VIP"], errors);
        host(entry, &join(&path, "hostname"), errors);
    }
}

fn host(entry: &Value, path: &str, errors: &mut Errors) {
    let host = entry.text("hostname");
    if host.is_empty() {
        return;
    }
    messages(path, host, names::subdomain(host), errors);
    if host.parse::<std::net::IpAddr>().is_ok() {
        let detail = "must be a DNS name, not an IP address";
        errors.push(FieldError::invalid(path, host, detail));
    }
}
