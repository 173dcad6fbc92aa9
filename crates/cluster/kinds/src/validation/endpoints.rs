//! Endpoints and `EndpointSlices`.

use serde_json::Value;

use super::names;
use super::path::{Errors, each, join, messages, one_of, required};
use crate::FieldError;
use crate::value::Read as _;

/// Endpoints of one slice.
const SLICE_ENDPOINTS: usize = 1000;
/// Addresses of one endpoint.
const ENDPOINT_ADDRESSES: usize = 100;
/// Ports of one slice.
const SLICE_PORTS: usize = 20_000;
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// `Endpoints`.
pub(super) fn endpoints(object: &Value, errors: &mut Errors) {
    for (path, subset) in each(object, "", "subsets") {
        if subset.list("addresses").is_empty() && subset.list("notReadyAddresses").is_empty() {
            errors.push(FieldError::required(
                &path,
                "must specify `addresses` or `notReadyAddresses`",
            ));
        }
        for list in ["addresses", "notReadyAddresses"] {
            for (path, address) in each(subset, &path, list) {
                let ip = address.text("ip");
                messages(&join(&path, "ip"), ip, names::address(ip), errors);
                names_of(address, &path, errors);
            }
        }
        let several = subset.list("ports").len() > 1;
        for (path, port) in each(subset, &path, "ports") {
            if several {
                required(port, &path, "name", errors);
            }
            if !port.text("name").is_empty() {
                messages(
                    &join(&path, "name"),
                    port.text("name"),
                    names::label(port.text("name")),
                    errors,
                );
            }
            number(port, &path, errors);
            one_of(port, &path, "protocol", PROTOCOLS, errors);
            application(port, &path, errors);
        }
    }
}

/// The host name that a Pod asks for, and its node.
fn names_of(endpoint: &Value, path: &str, errors: &mut Errors) {
    let (host, node) = (endpoint.text("hostname"), endpoint.text("nodeName"));
    if !host.is_empty() {
        messages(&join(path, "hostname"), host, names::label(host), errors);
    }
    if endpoint.has("nodeName") {
        messages(&join(path, "nodeName"), node, names::subdomain(node), errors);
    }
}

fn application(port: &Value, path: &str, errors: &mut Errors) {
    if let Some(protocol) = port.get("appProtocol").and_then(Value::as_str) {
        messages(
            &join(path, "appProtocol"),
            protocol,
            names::qualified(protocol),
            errors,
        );
    }
}

fn number(port: &Value, path: &str, errors: &mut Errors) {
    let number = port.int("port").unwrap_or(0);
    for message in names::port(number) {
        errors.push(FieldError::invalid(&join(path, "port"), number, &message));
    }
}

/// An `EndpointSlice`.
pub(super) fn slice(object: &Value, errors: &mut Errors) {
    one_of(object, "", "addressType", &["FQDN", "IPv4", "IPv6"], errors);
    let endpoints = object.list("endpoints").len();
    if endpoints > SLICE_ENDPOINTS {
        errors.push(FieldError::too_many("endpoints", endpoints, SLICE_ENDPOINTS));
    }
    let kind = object.text("addressType");
    for (path, endpoint) in each(object, "", "endpoints") {
        let addresses = endpoint.list("addresses");
        if addresses.is_empty() {
            errors.push(FieldError::required(
                &join(&path, "addresses"),
                "must contain at least 1 address",
            ));
        } else if addresses.len() > ENDPOINT_ADDRESSES {
            errors.push(FieldError::too_many(
                &join(&path, "addresses"),
                addresses.len(),
                ENDPOINT_ADDRESSES,
            ));
        }
        for (index, address) in addresses.iter().enumerate() {
            let address = address.as_str().unwrap_or_default();
            let path = format!("{path}.addresses[{index}]");
            messages(&path, address, address_messages(kind, address), errors);
        }
        names_of(endpoint, &path, errors);
    }
    slice_ports(object, errors);
}

fn address_messages(kind: &str, address: &str) -> Vec<String> {
    let wrong = |version: &str| vec![format!("must be an {version} address")];
    match (kind, address.parse::<std::net::IpAddr>()) {
        ("FQDN", _) => names::subdomain(address),
        ("IPv4" | "IPv6", Err(_)) => names::address(address),
        ("IPv4", Ok(ip)) if !ip.is_ipv4() => wrong("IPv4"),
        ("IPv6", Ok(ip)) if !ip.is_ipv6() => wrong("IPv6"),
        _ => Vec::new(),
    }
}

fn slice_ports(object: &Value, errors: &mut Errors) {
    let ports = object.list("ports");
    if ports.len() > SLICE_PORTS {
        errors.push(FieldError::too_many("ports", ports.len(), SLICE_PORTS));
    }
    let mut seen = Vec::new();
    for (path, port) in each(object, "", "ports") {
        let name = port.text("name");
        if !name.is_empty() {
            messages(&join(&path, "name"), name, names::label(name), errors);
        }
        if seen.contains(&name) {
            errors.push(FieldError::duplicate(&join(&path, "name"), name));
        }
        seen.push(name);
        one_of(port, &path, "protocol", PROTOCOLS, errors);
        application(port, &path, errors);
    }
}
