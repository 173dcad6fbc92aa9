//! What Pods that ask for the tool's environment get: variables, mounts, and machines that have the mounts.
//!
//! In all containers: the tool's commands must find the same in each of them, also in one that prepares the others and
//! in one that looks for their faults. Nothing is overridden, and doing it twice changes nothing.

use json_patch::PatchOperation;
use serde_json::{Map, Value, json};
use toolforge_model::{ToolAccount, labels};

use super::{Mount, VolumesPolicy};

/// The changes that give a Pod its tool's environment, as a JSON patch; none for a Pod that does not ask for it.
///
/// `old` is the Pod as it was, when containers for debugging are added to it: nothing but those may change any more.
pub fn mutate_volumes(
    policy: &VolumesPolicy,
    account: &ToolAccount,
    pod: &Value,
    old: Option<&Value>,
) -> Vec<PatchOperation> {
    let labels = pod.pointer("/metadata/labels");
    let asks = labels.and_then(|labels| labels.get(labels::TOOLFORGE));
    let mut changed = pod.clone();
    let spec = changed.get_mut("spec").and_then(Value::as_object_mut);
    let Some(spec) = spec.filter(|_| asks.is_some_and(|value| value == labels::TOOLFORGE_TOOL)) else {
        return Vec::new();
    };
    let lists: &[&str] = match old {
        None => {
            give_volumes(policy, spec);
            give_node_selector(policy, spec);
            &["initContainers", "containers"]
        }
        Some(_) => &["ephemeralContainers"],
    };
    let volumes = names(spec.get("volumes"));
    let there: Vec<String> = old.map_or_else(Vec::new, |old| names(old.pointer("/spec/ephemeralContainers")));
    // Only what the Pod has can be mounted; it may be older than the configuration.
    let mounts: Vec<&Mount> = policy
        .mounts
        .iter()
        .filter(|mount| volumes.contains(&mount.name))
        .collect();
    for list in lists {
        let containers = spec
            .get_mut(*list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            if name(container).is_none_or(|name| !there.iter().any(|there| there == name)) {
                give_variables(container, account);
                give_mounts(container, &mounts);
            }
        }
    }
    json_patch::diff(pod, &changed).0
}

/// `HOME` and `TOOL_DATA_DIR`, before the container's own variables, so that those can refer to them.
fn give_variables(container: &mut Map<String, Value>, account: &ToolAccount) {
    let Some(variables) = list_at(container, "env") else {
        return;
    };
    let named = |variables: &[Value], name: &str| variables.iter().any(|variable| variable["name"] == name);
    let without_home = named(variables, "NO_HOME");
    if !named(variables, "TOOL_DATA_DIR") {
        variables.insert(0, json!({"name": "TOOL_DATA_DIR", "value": account.home}));
    }
    if !without_home && !named(variables, "HOME") {
        variables.insert(0, json!({"name": "HOME", "value": account.home}));
    }
    if without_home {
        container.remove("workingDir");
    }
}

fn give_volumes(policy: &VolumesPolicy, spec: &mut Map<String, Value>) {
    for mount in &policy.mounts {
        let Some(volumes) = list_at(spec, "volumes") else {
            return;
        };
        if volumes.iter().all(|volume| volume["name"] != *mount.name) {
            let source = json!({"path": mount.path, "type": mount.kind});
            volumes.push(json!({"name": mount.name, "hostPath": source}));
        }
    }
}

/// A container that has the volume, or something else in its place, keeps what it has.
fn give_mounts(container: &mut Map<String, Value>, mounts: &[&Mount]) {
    for mount in mounts {
        let Some(places) = list_at(container, "volumeMounts") else {
            return;
        };
        let taken = |place: &Value| {
            let path = place["mountPath"].as_str().unwrap_or_default();
            place["name"] == *mount.name || path.trim_end_matches('/') == mount.path
        };
        if !places.iter().any(taken) {
            let mut place = json!({"name": mount.name, "mountPath": mount.path});
            if mount.read_only {
                place["readOnly"] = json!(true);
            }
            places.push(place);
        }
    }
}

fn give_node_selector(policy: &VolumesPolicy, spec: &mut Map<String, Value>) {
    for (key, value) in &policy.node_selector {
        let selector = spec.entry("nodeSelector").or_insert(Value::Null);
        if selector.is_null() {
            *selector = json!({});
        }
        if let Some(selector) = selector.as_object_mut() {
            selector.entry(key.clone()).or_insert_with(|| json!(value));
        }
    }
}

/// The list at a key, made when it is missing; nothing when something else stands there.
fn list_at<'a>(object: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Vec<Value>> {
    let list = object.entry(key).or_insert(Value::Null);
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut()
}

fn name(object: &Map<String, Value>) -> Option<&str> {
    object.get("name")?.as_str()
}

fn names(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    let names = items.filter_map(Value::as_object).filter_map(name);
    names.map(str::to_owned).collect()
}
