//! Tables of Services, endpoints, Ingresses and network policies.

use jiff::Timestamp;
use serde_json::Value;

use super::text::{NONE, first_three, labels, or_none, selector};
use super::{AGE, Column, NAME, age, name};
use crate::value::{Read as _, list_at, text_at};

pub(super) const SERVICE: &[Column] = &[
    NAME,
    Column::text("Type", "How it is reached."),
    Column::text("Cluster-IP", "Address inside the cluster."),
    Column::text("External-IP", "Addresses outside the cluster."),
    Column::text("Port(s)", "Ports, with the node's after a colon."),
    AGE,
    Column::text("Selector", "Which Pods serve it.").wide(),
];

pub(super) fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    vec![
        name(object),
        spec.text("type").into(),
        or_none(spec.text("clusterIP")),
        external_address(object).into(),
        or_none(&service_ports(spec)),
        age(object, now),
        labels(spec.get("selector")),
    ]
}

fn external_address(object: &Value) -> String {
    let spec = &object["spec"];
    let mut addresses: Vec<&str> = spec
        .list("externalIPs")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    match spec.text("type") {
        "ClusterIP" | "NodePort" if addresses.is_empty() => NONE.to_owned(),
        "ClusterIP" | "NodePort" => addresses.join(","),
        "LoadBalancer" => {
            let mut all = ingress_addresses(object);
            all.append(&mut addresses);
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        "ExternalName" => spec.text("externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

fn ingress_addresses(object: &Value) -> Vec<&str> {
    list_at(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .map(|ingress| {
            if ingress.text("ip").is_empty() {
                ingress.text("hostname")
            } else {
                ingress.text("ip")
            }
        })
        .filter(|address| !address.is_empty())
        .collect()
}

fn service_ports(spec: &Value) -> String {
    let ports: Vec<String> = spec
        .list("ports")
        .iter()
        .map(|port| {
            let number = port.int("port").unwrap_or(0);
            match port.int("nodePort").unwrap_or(0) {
                0 => format!("{number}/{}", port.text("protocol")),
                node => format!("{number}:{node}/{}", port.text("protocol")),
            }
        })
        .collect();
    ports.join(",")
}

pub(super) const ENDPOINTS: &[Column] = &[
    NAME,
    Column::text("Endpoints", "Addresses that are ready, with their ports."),
    AGE,
];

pub(super) fn endpoints(object: &Value, now: Timestamp) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in object.list("subsets") {
        let ports = subset.list("ports");
        for address in subset.list("addresses") {
            let ip = address.text("ip");
            if ports.is_empty() {
                all.push(ip.to_owned());
            }
            all.extend(
                ports
                    .iter()
                    .map(|port| with_port(ip, port.int("port").unwrap_or(0))),
            );
        }
    }
    vec![
        name(object),
        first_three(&all, ",", NONE).into(),
        age(object, now),
    ]
}

fn with_port(ip: &str, port: i64) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

pub(super) const ENDPOINT_SLICE: &[Column] = &[
    NAME,
    Column::text("AddressType", "Kind of the addresses."),
    Column::text("Ports", "Ports of all endpoints."),
    Column::text("Endpoints", "Addresses."),
    AGE,
];

pub(super) fn endpoint_slice(object: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = object
        .list("ports")
        .iter()
        .map(|port| {
            port.int("port")
                .map_or_else(|| "*".to_owned(), |number| number.to_string())
        })
        .collect();
    let addresses: Vec<String> = object
        .list("endpoints")
        .iter()
        .flat_map(|endpoint| endpoint.list("addresses"))
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect();
    vec![
        name(object),
        object.text("addressType").into(),
        first_three(&ports, ",", "<unset>").into(),
        first_three(&addresses, ",", "<unset>").into(),
        age(object, now),
    ]
}

pub(super) const INGRESS: &[Column] = &[
    NAME,
    Column::text("Class", "Class, which says who serves it."),
    Column::text("Hosts", "Host names."),
    Column::text("Address", "Addresses at which it is served."),
    Column::text("Ports", "Ports at which it is served."),
    AGE,
];

pub(super) fn ingress(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let class = spec.text("ingressClassName");
    let class = if class.is_empty() {
        object
            .at(&["metadata", "annotations"])
            .map_or("", |annotations| annotations.text("kubernetes.io/ingress.class"))
    } else {
        class
    };
    let hosts: Vec<String> = spec
        .list("rules")
        .iter()
        .map(|rule| {
            if rule.text("host").is_empty() {
                "*".to_owned()
            } else {
                rule.text("host").to_owned()
            }
        })
        .collect();
    let ports = if spec.list("tls").is_empty() {
        "80"
    } else {
        "80, 443"
    };
    vec![
        name(object),
        or_none(class),
        first_three(&hosts, ",", "*").into(),
        ingress_addresses(object).join(",").into(),
        ports.into(),
        age(object, now),
    ]
}

pub(super) const INGRESS_CLASS: &[Column] = &[
    NAME,
    Column::text("Controller", "Who serves Ingresses of the class."),
    Column::text("Parameters", "Where the controller finds its settings."),
    AGE,
];

pub(super) fn ingress_class(object: &Value, now: Timestamp) -> Vec<Value> {
    let parameters = object.at(&["spec", "parameters"]).map(|parameters| {
        let kind = parameters.text("kind");
        match parameters.text("apiGroup") {
            "" => format!("{kind}/{}", parameters.text("name")),
            group => format!("{kind}.{group}/{}", parameters.text("name")),
        }
    });
    vec![
        name(object),
        text_at(object, &["spec", "controller"]).into(),
        or_none(&parameters.unwrap_or_default()),
        age(object, now),
    ]
}

pub(super) const POLICY: &[Column] = &[NAME, Column::text("Pod-Selector", "Which Pods it is about."), AGE];

pub(super) fn policy(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        selector(object.at(&["spec", "podSelector"])),
        age(object, now),
    ]
}
