//! Limit ranges: what containers get when they ask for nothing, and how much they may ask for.
//!
//! As in Kubernetes, they hold for Pods and claims when these are created, and for claims also later.

mod bounds;

use serde_json::{Map, Value};

use crate::amounts::Amounts;
use crate::attributes::{Attributes, Operation};
use crate::pod::{self, Side};
use bounds::Bounds;

/// The annotation that tells what was set.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Whether limit ranges have a say in a write.
pub(crate) fn concern(attributes: &Attributes) -> bool {
    match attributes.operation {
        Operation::Create => attributes.is_of("", "pods") || attributes.is_of("", "persistentvolumeclaims"),
        Operation::Update => attributes.is_of("", "persistentvolumeclaims"),
        Operation::Delete | Operation::Connect => false,
    }
}

fn items(range: &Value) -> impl Iterator<Item = &Value> {
    range
        .pointer("/spec/limits")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn is_for(item: &Value, kind: &str) -> bool {
    item.get("type").and_then(Value::as_str) == Some(kind)
}

/// Gives the containers of a Pod what the range has as defaults; says in an annotation what it gave.
pub(crate) fn set_defaults(range: &Value, pod: &mut Value) {
    let mut limits = Amounts::default();
    let mut requests = Amounts::default();
    for item in items(range).filter(|item| is_for(item, "Container")) {
        fill(&mut limits, &Amounts::read(item.get("default")));
        fill(&mut requests, &Amounts::read(item.get("defaultRequest")));
    }
    let mut given = Vec::new();
    for (list, title) in [("containers", "container"), ("initContainers", "init container")] {
        let containers = pod
            .pointer_mut(&format!("/spec/{list}"))
            .and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let name = container
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            for (side, defaults, word) in [
                (Side::Requests, &requests, "request"),
                (Side::Limits, &limits, "limit"),
            ] {
                let set = give(container, side, defaults);
                if !set.is_empty() {
                    given.push(format!("{} {word} for {title} {name}", set.join(", ")));
                }
            }
        }
    }
    if !given.is_empty() {
        annotate(pod, &format!("LimitRanger plugin set: {}", given.join("; ")));
    }
}

/// Of several items of one range the first counts.
fn fill(defaults: &mut Amounts, more: &Amounts) {
    for (name, amount) in more.iter() {
        if defaults.get(name).is_none() {
            defaults.set(name, amount);
        }
    }
}

/// Sets what is missing; gives the names of what it set.
fn give(container: &mut Value, side: Side, defaults: &Amounts) -> Vec<String> {
    let Some(container) = container.as_object_mut().filter(|_| !defaults.is_empty()) else {
        return Vec::new();
    };
    let Some(resources) = object_at(container, "resources") else {
        return Vec::new();
    };
    let Some(amounts) = object_at(resources, side.name()) else {
        return Vec::new();
    };
    let mut set = Vec::new();
    for (name, amount) in defaults.iter() {
        if !amounts.contains_key(name) {
            amounts.insert(name.to_owned(), Value::from(amount.to_string()));
            set.push(name.to_owned());
        }
    }
    set
}

fn annotate(pod: &mut Value, text: &str) {
    let metadata = pod.as_object_mut().and_then(|pod| object_at(pod, "metadata"));
    if let Some(annotations) = metadata.and_then(|metadata| object_at(metadata, "annotations")) {
        annotations.insert(ANNOTATION.to_owned(), Value::from(text));
    }
}

/// The object in a field, made when it is missing or null.
fn object_at<'a>(parent: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Map<String, Value>> {
    let value = parent.entry(field).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// What a range has against a Pod or claim, in the words of Kubernetes.
pub(crate) fn violations(range: &Value, plural: &str, object: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for item in items(range) {
        let bounds = Bounds::read(item);
        if plural == "persistentvolumeclaims" && is_for(item, "PersistentVolumeClaim") {
            let requests = Amounts::read(object.pointer("/spec/resources/requests"));
            bounds.check_requests("PersistentVolumeClaim", &requests, &mut problems);
        }
        if plural == "pods" && is_for(item, "Container") {
            for container in ["containers", "initContainers"]
                .iter()
                .flat_map(|list| pod::containers(object, list))
            {
                let requests = pod::of_container(container, Side::Requests);
                let limits = pod::of_container(container, Side::Limits);
                bounds.check("Container", &requests, &limits, &mut problems);
            }
        }
        if plural == "pods" && is_for(item, "Pod") {
            let (requests, limits) = (
                pod::total(object, Side::Requests),
                pod::total(object, Side::Limits),
            );
            bounds.check("Pod", &requests, &limits, &mut problems);
        }
    }
    problems
}

#[cfg(test)]
mod tests;
