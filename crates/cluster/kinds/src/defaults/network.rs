//! Defaults of Services, endpoints and network rules.

use serde_json::{Value, json};

use crate::value::{Read as _, child, default, default_text, ensure, items};

/// Seconds that a client stays with one Pod under `sessionAffinity: ClientIP`: three hours.
const CLIENT_AFFINITY_SECONDS: i64 = 10_800;

/// A Service; its address is given by the API server.
pub(super) fn service(object: &mut Value) {
    let Some(spec) = ensure(object, "spec") else {
        return;
    };
    default_text(spec, "type", "ClusterIP");
    default_text(spec, "sessionAffinity", "None");
    if spec.text("sessionAffinity") == "ClientIP"
        && let Some(client) =
            ensure(spec, "sessionAffinityConfig").and_then(|config| ensure(config, "clientIP"))
    {
        default(client, "timeoutSeconds", CLIENT_AFFINITY_SECONDS);
    }
    for port in items(spec, "ports") {
        default_text(port, "protocol", "TCP");
        let unset = match port.get("targetPort") {
            Some(Value::String(name)) => name.is_empty(),
            Some(number) => number.as_i64() == Some(0),
            None => true,
        };
        if unset && let Some(number) = port.int("port") {
            port["targetPort"] = number.into();
        }
    }
    let kind = spec.text("type").to_owned();
    let outer = kind == "ClusterIP" && !spec.list("externalIPs").is_empty();
    if outer || matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        default_text(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    let is_balancer = kind == "LoadBalancer";
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if is_balancer
        && let Some(balancer) = child(object, "status").and_then(|status| child(status, "loadBalancer"))
    {
        for entry in items(balancer, "ingress").filter(|entry| !entry.text("ip").is_empty()) {
            default(entry, "ipMode", "VIP");
        }
    }
}

/// `Endpoints`.
pub(super) fn endpoints(object: &mut Value) {
    for subset in items(object, "subsets") {
        for port in items(subset, "ports") {
            default_text(port, "protocol", "TCP");
        }
    }
}

/// An `EndpointSlice`.
pub(super) fn endpoint_slice(object: &mut Value) {
    for port in items(object, "ports") {
        default(port, "name", "");
        default_text(port, "protocol", "TCP");
    }
}

/// An `IngressClass`.
pub(super) fn ingress_class(object: &mut Value) {
    if let Some(parameters) = child(object, "spec").and_then(|spec| child(spec, "parameters")) {
        default(parameters, "scope", "Cluster");
    }
}

/// A `NetworkPolicy`.
pub(super) fn network_policy(object: &mut Value) {
    let Some(spec) = child(object, "spec") else { return };
    if spec.list("policyTypes").is_empty() {
        let egress = !spec.list("egress").is_empty();
        spec["policyTypes"] = if egress {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        };
    }
    for direction in ["ingress", "egress"] {
        for rule in items(spec, direction) {
            for port in items(rule, "ports") {
                default_text(port, "protocol", "TCP");
            }
        }
    }
}
