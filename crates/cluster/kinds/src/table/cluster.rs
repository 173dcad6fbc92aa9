//! Tables of namespaces, nodes, claims, leases and disruption budgets.

use jiff::Timestamp;
use serde_json::Value;

use super::text::{NONE, or_none};
use super::{AGE, Column, NAME, age, name};
use crate::value::{Read as _, int_at, list_at, text_at};

pub(super) const NAMESPACE: &[Column] = &[NAME, Column::text("Status", "Active or Terminating."), AGE];

pub(super) fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        text_at(object, &["status", "phase"]).into(),
        age(object, now),
    ]
}

pub(super) const API_SERVICE: &[Column] = &[
    NAME,
    Column::text("Service", "The Service that answers for the group's version."),
    Column::text("Available", "Whether it answers."),
    AGE,
];

pub(super) fn api_service(object: &Value, now: Timestamp) -> Vec<Value> {
    let service = object.at(&["spec", "service"]);
    let service = service.map_or_else(
        || "Local".to_owned(),
        |service| format!("{}/{}", service.text("namespace"), service.text("name")),
    );
    let available = list_at(object, &["status", "conditions"])
        .iter()
        .find(|condition| condition.text("type") == "Available");
    let available = match available.map(|condition| (condition.text("status"), condition.text("reason"))) {
        Some(("True", _)) => "True".to_owned(),
        Some((status, "")) => status.to_owned(),
        Some((status, reason)) => format!("{status} ({reason})"),
        None => "Unknown".to_owned(),
    };
    vec![name(object), service.into(), available.into(), age(object, now)]
}

pub(super) const NODE: &[Column] = &[
    NAME,
    Column::text("Status", "Whether it is ready."),
    Column::text("Roles", "What it is for."),
    AGE,
    Column::text("Version", "Version of the node's program."),
    Column::text("Internal-IP", "Address inside the cluster.").wide(),
    Column::text("External-IP", "Address outside the cluster.").wide(),
    Column::text("OS-Image", "Operating system.").wide(),
    Column::text("Kernel-Version", "Kernel.").wide(),
    Column::text("Container-Runtime", "What runs the containers.").wide(),
];

pub(super) fn node(object: &Value, now: Timestamp) -> Vec<Value> {
    let info = |key: &str| text_at(object, &["status", "nodeInfo", key]);
    let or_unknown = |text: &str| Value::from(if text.is_empty() { "<unknown>" } else { text });
    vec![
        name(object),
        node_status(object).into(),
        node_roles(object),
        age(object, now),
        info("kubeletVersion").into(),
        node_address(object, "InternalIP"),
        node_address(object, "ExternalIP"),
        or_unknown(info("osImage")),
        or_unknown(info("kernelVersion")),
        or_unknown(info("containerRuntimeVersion")),
    ]
}

fn node_status(object: &Value) -> String {
    let ready = list_at(object, &["status", "conditions"])
        .iter()
        .find(|condition| condition.text("type") == "Ready");
    let status = match ready.map(|condition| condition.text("status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let closed = object.at(&["spec", "unschedulable"]).and_then(Value::as_bool) == Some(true);
    if closed {
        format!("{status},SchedulingDisabled")
    } else {
        status.to_owned()
    }
}

fn node_roles(object: &Value) -> Value {
    let mut roles: Vec<&str> = object
        .at(&["metadata", "labels"])
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(
            |(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
                Some(role) => Some(role),
                None if key == "kubernetes.io/role" => value.as_str(),
                None => None,
            },
        )
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    or_none(&roles.join(","))
}

fn node_address(object: &Value, kind: &str) -> Value {
    let addresses = list_at(object, &["status", "addresses"]);
    let found = addresses.iter().find(|address| address.text("type") == kind);
    found.map_or(NONE.into(), |address| address.text("address").into())
}

pub(super) const CLAIM: &[Column] = &[
    NAME,
    Column::text("Status", "Whether it is bound to a volume."),
    Column::text("Volume", "Volume that it is bound to."),
    Column::text("Capacity", "Size of the volume."),
    Column::text("Access Modes", "How the volume may be mounted."),
    Column::text("StorageClass", "Class of the storage."),
    Column::text("VolumeAttributesClass", "Class of the volume's attributes."),
    AGE,
    Column::text("VolumeMode", "Filesystem or Block.").wide(),
];

pub(super) fn claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &object["spec"];
    let deleted = object.at(&["metadata", "deletionTimestamp"]).is_some();
    let phase = if deleted {
        "Terminating"
    } else {
        text_at(object, &["status", "phase"])
    };
    let volume = spec.text("volumeName");
    let bound = !volume.is_empty();
    let capacity = if bound {
        text_at(object, &["status", "capacity", "storage"])
    } else {
        ""
    };
    let modes: Vec<&str> = list_at(object, &["status", "accessModes"])
        .iter()
        .filter(|_| bound)
        .filter_map(Value::as_str)
        .map(|mode| match mode {
            "ReadWriteOnce" => "RWO",
            "ReadOnlyMany" => "ROX",
            "ReadWriteMany" => "RWX",
            "ReadWriteOncePod" => "RWOP",
            other => other,
        })
        .collect();
    let attributes = spec.text("volumeAttributesClassName");
    vec![
        name(object),
        phase.into(),
        volume.into(),
        capacity.into(),
        modes.join(",").into(),
        spec.text("storageClassName").into(),
        if attributes.is_empty() {
            "<unset>".into()
        } else {
            attributes.into()
        },
        age(object, now),
        if spec.has("volumeMode") {
            spec.text("volumeMode").into()
        } else {
            "<unset>".into()
        },
    ]
}

pub(super) const LEASE: &[Column] = &[NAME, Column::text("Holder", "Who holds it."), AGE];

pub(super) fn lease(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        text_at(object, &["spec", "holderIdentity"]).into(),
        age(object, now),
    ]
}

pub(super) const BUDGET: &[Column] = &[
    NAME,
    Column::text("Min Available", "Pods that have to stay."),
    Column::text("Max Unavailable", "Pods that may be gone."),
    Column::number("Allowed Disruptions", "Pods that may be evicted now."),
    AGE,
];

pub(super) fn budget(object: &Value, now: Timestamp) -> Vec<Value> {
    let amount = |key: &str| match object.at(&["spec", key]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "N/A".to_owned(),
    };
    vec![
        name(object),
        amount("minAvailable").into(),
        amount("maxUnavailable").into(),
        int_at(object, &["status", "disruptionsAllowed"])
            .unwrap_or(0)
            .into(),
        age(object, now),
    ]
}
