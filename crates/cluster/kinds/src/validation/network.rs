//! Network policies.

use std::net::IpAddr;

use serde_json::Value;

use super::path::{Errors, each, join, messages, nth, optional_one_of};
use super::{labels, names};
use crate::FieldError;
use crate::value::Read as _;

/// Selectors, ports and address blocks.
pub(super) fn policy(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if let Some(selector) = spec.get("podSelector") {
        labels::selector(selector, "spec.podSelector", errors);
    }
    for (direction, side) in [("ingress", "from"), ("egress", "to")] {
        for (path, rule) in each(spec, "spec", direction) {
            for (path, port) in each(rule, &path, "ports") {
                policy_port(port, &path, errors);
            }
            for (path, peer) in each(rule, &path, side) {
                policy_peer(peer, &path, errors);
            }
        }
    }
    for (index, kind) in spec.list("policyTypes").iter().enumerate() {
        if !matches!(kind.as_str(), Some("Ingress" | "Egress")) {
            let path = nth("spec", "policyTypes", index);
            errors.push(FieldError::not_supported(
                &path,
                kind.clone(),
                &["Egress", "Ingress"],
            ));
        }
    }
}

fn policy_port(port: &Value, path: &str, errors: &mut Errors) {
    optional_one_of(port, path, "protocol", &["SCTP", "TCP", "UDP"], errors);
    match port.get("port") {
        Some(Value::String(name)) => messages(&join(path, "port"), name, names::port_name(name), errors),
        Some(number) => {
            let number = number.as_i64().unwrap_or(0);
            for message in names::port(number) {
                errors.push(FieldError::invalid(&join(path, "port"), number, &message));
            }
            if let Some(end) = port.int("endPort").filter(|end| *end < number) {
                let detail = "must be greater than or equal to `port`";
                errors.push(FieldError::invalid(&join(path, "endPort"), end, detail));
            }
        }
        None if port.has("endPort") => {
            let end = port.int("endPort").unwrap_or(0);
            errors.push(FieldError::invalid(
                &join(path, "endPort"),
                end,
                "may not be specified when `port` is not specified",
            ));
        }
        None => {}
    }
}

fn policy_peer(peer: &Value, path: &str, errors: &mut Errors) {
    let selectors = peer.has("podSelector") || peer.has("namespaceSelector");
    for key in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = peer.get(key) {
            labels::selector(selector, &join(path, key), errors);
        }
    }
    match peer.get("ipBlock") {
        Some(_) if selectors => {
            errors.push(FieldError::forbidden(
                path,
                "may not specify both ipBlock and another peer",
            ));
        }
        Some(block) => {
            let path = join(path, "ipBlock");
            let cidr = block.text("cidr");
            if cidr.is_empty() {
                errors.push(FieldError::required(&join(&path, "cidr"), ""));
            } else {
                messages(&join(&path, "cidr"), cidr, names::network(cidr), errors);
                excepted(block, &path, errors);
            }
        }
        None if !selectors => errors.push(FieldError::required(path, "must specify a peer")),
        None => {}
    }
}

/// What is left out of a block has to be a part of it, and not all.
fn excepted(block: &Value, path: &str, errors: &mut Errors) {
    let Some((whole, whole_bits)) = read_network(block.text("cidr")) else {
        return;
    };
    for (index, part) in block.list("except").iter().enumerate() {
        let text = part.as_str().unwrap_or_default();
        let at = nth(path, "except", index);
        let Some((address, bits)) = read_network(text) else {
            messages(&at, text, names::network(text), errors);
            return;
        };
        if bits <= whole_bits || masked(address, whole_bits) != masked(whole, whole_bits) {
            let detail = "must be a strict subset of `cidr`";
            errors.push(FieldError::invalid(&at, text, detail));
        }
    }
}

fn read_network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = text.split_once('/').filter(|_| names::network(text).is_empty())?;
    Some((address.parse().ok()?, bits.parse().ok()?))
}

/// The first bits of an address, and its family.
fn masked(address: IpAddr, bits: u32) -> (bool, u128) {
    let (value, width) = match address {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    (
        address.is_ipv4(),
        value.checked_shr(width - bits.min(width)).unwrap_or(0),
    )
}
