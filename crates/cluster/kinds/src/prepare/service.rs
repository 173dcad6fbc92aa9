//! A Service's addresses at birth and at an update. The API server gives them out; here they are only kept.

use serde_json::{Value, json};

use crate::value::{Read as _, child, default, items, keep, remove, text_at};

/// `clusterIP` and `clusterIPs` say the same, and the addresses are of the one family that there is. That comes with
/// the addresses and not by default: nobody owns it who did not write it.
pub(super) fn complete_addresses(object: &mut Value) {
    let Some(spec) = child(object, "spec") else { return };
    let address = spec.text("clusterIP").to_owned();
    let first = spec
        .list("clusterIPs")
        .first()
        .and_then(Value::as_str)
        .map(str::to_owned);
    match (address.is_empty(), first) {
        (false, None) => spec["clusterIPs"] = json!([address]),
        (true, Some(first)) => spec["clusterIP"] = first.into(),
        _ => {}
    }
    if spec.text("type") != "ExternalName" {
        default(spec, "ipFamilyPolicy", "SingleStack");
        default(spec, "ipFamilies", json!(["IPv4"]));
    }
}

/// An update that leaves addresses out keeps them; one that makes the Service an external name gives them back.
pub(super) fn keep_addresses(old: &Value, new: &mut Value) {
    let was_external = text_at(old, &["spec", "type"]) == "ExternalName";
    let Some(old_spec) = old.get("spec") else { return };
    let Some(spec) = child(new, "spec") else { return };
    let is_external = spec.text("type") == "ExternalName";
    if is_external && !was_external {
        for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if spec.get(key) == old_spec.get(key) {
                remove(spec, key);
            }
        }
        return;
    }
    if !is_external && !was_external {
        for key in ["clusterIP", "clusterIPs"] {
            if spec.text(key).is_empty() && spec.list(key).is_empty() {
                keep(old_spec, spec, key);
            }
        }
    }
    follow_first(old_spec, spec);
    drop_of_old_type(old_spec, spec);
    keep_node_ports(old_spec, spec);
    complete_addresses(new);
}

/// Who changes `clusterIP` alone means the first of `clusterIPs`.
fn follow_first(old: &Value, spec: &mut Value) {
    let address = spec.text("clusterIP").to_owned();
    if !address.is_empty()
        && address != old.text("clusterIP")
        && spec.get("clusterIPs") == old.get("clusterIPs")
        && let Some(first) = items(spec, "clusterIPs").next()
    {
        *first = address.into();
    }
}

/// Fields that the old type had and the new one has not go with it, when the author has left them as they were.
fn drop_of_old_type(old: &Value, spec: &mut Value) {
    let kind = spec.text("type").to_owned();
    let of_balancers = [
        "allocateLoadBalancerNodePorts",
        "healthCheckNodePort",
        "loadBalancerClass",
    ];
    let of_outer = ["externalTrafficPolicy"];
    for (keys, stays) in [
        (&of_balancers[..], kind == "LoadBalancer"),
        (
            &of_outer[..],
            matches!(kind.as_str(), "LoadBalancer" | "NodePort"),
        ),
    ] {
        for key in keys {
            if !stays && spec.get(key) == old.get(key) {
                remove(spec, key);
            }
        }
    }
}

fn keep_node_ports(old: &Value, spec: &mut Value) {
    if !matches!(spec.text("type"), "NodePort" | "LoadBalancer") {
        for port in items(spec, "ports") {
            let number = port.int("nodePort");
            let old_number = old
                .list("ports")
                .iter()
                .find(|old| same_port(old, port))
                .and_then(|old| old.int("nodePort"));
            if number == old_number {
                remove(port, "nodePort");
            }
        }
        return;
    }
    for port in items(spec, "ports") {
        let found = old.list("ports").iter().find(|old| same_port(old, port));
        if !port.has("nodePort")
            && let Some(found) = found
        {
            keep(found, port, "nodePort");
        }
    }
}

fn same_port(a: &Value, b: &Value) -> bool {
    a.int("port") == b.int("port") && a.text("protocol") == b.text("protocol")
}
