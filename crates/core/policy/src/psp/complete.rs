//! Writes into a Pod what a policy gives it. It adds, and never overrides.

use serde_json::{Map, Value, json};

use super::PSP_ANNOTATION;
use super::defaults::{ContainerDefaults, Defaults};
use super::profile;

/// Completes the object of a Pod, and notes the policy.
pub(super) fn complete(pod: &mut Value, policy: &str, defaults: &Defaults<'_>, note: bool) {
    let Some(object) = pod.as_object_mut() else {
        return;
    };
    if note
        && let Some(metadata) = object_at(object, "metadata")
        && let Some(annotations) = object_at(metadata, "annotations")
    {
        annotations.insert(PSP_ANNOTATION.to_owned(), json!(policy));
    }
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    complete_pod(spec, defaults);
    for container in &defaults.containers {
        let found = spec
            .get_mut(container.list)
            .and_then(|list| list.get_mut(container.index));
        if let Some(found) = found.and_then(Value::as_object_mut) {
            complete_container(found, container);
        }
    }
}

fn complete_pod(spec: &mut Map<String, Value>, defaults: &Defaults<'_>) {
    set_default(spec, "runtimeClassName", defaults.runtime_class.map(Value::from));
    let fields = [
        ("fsGroup", defaults.fs_group.map(Value::from)),
        (
            "supplementalGroups",
            defaults.supplemental_group.map(|group| json!([group])),
        ),
        ("seLinuxOptions", defaults.se_linux.map(|options| json!(options))),
        ("seccompProfile", defaults.seccomp.and_then(profile::field)),
    ];
    if defaults.supplemental_group.is_some()
        && let Some(context) = spec.get_mut("securityContext").and_then(Value::as_object_mut)
    {
        // An empty list names no group either.
        context.remove("supplementalGroups");
    }
    complete_context(spec, fields);
}

fn complete_container(container: &mut Map<String, Value>, defaults: &ContainerDefaults<'_>) {
    let fields = [
        ("runAsUser", defaults.run_as_user.map(Value::from)),
        ("runAsGroup", defaults.run_as_group.map(Value::from)),
        (
            "runAsNonRoot",
            defaults.run_as_non_root.then_some(Value::Bool(true)),
        ),
        ("seccompProfile", defaults.seccomp.and_then(profile::field)),
        ("appArmorProfile", defaults.apparmor.and_then(profile::field)),
        (
            "readOnlyRootFilesystem",
            defaults.read_only_root.then_some(Value::Bool(true)),
        ),
        ("allowPrivilegeEscalation", defaults.escalation.map(Value::from)),
    ];
    complete_context(container, fields);
    if defaults.add.is_empty() && defaults.drop.is_empty() {
        return;
    }
    let capabilities =
        object_at(container, "securityContext").and_then(|context| object_at(context, "capabilities"));
    if let Some(capabilities) = capabilities {
        extend(capabilities, "add", &defaults.add);
        extend(capabilities, "drop", &defaults.drop);
    }
}

fn complete_context<const N: usize>(of: &mut Map<String, Value>, fields: [(&str, Option<Value>); N]) {
    if fields.iter().all(|(_, value)| value.is_none()) {
        return;
    }
    if let Some(context) = object_at(of, "securityContext") {
        for (field, value) in fields {
            set_default(context, field, value);
        }
    }
}

fn extend(object: &mut Map<String, Value>, list: &str, names: &[&str]) {
    if names.is_empty() {
        return;
    }
    set_default(object, list, Some(json!([])));
    if let Some(items) = object.get_mut(list).and_then(Value::as_array_mut) {
        items.extend(names.iter().map(|name| json!(name)));
    }
}

/// Sets what is missing or null, if there is something to set.
fn set_default(object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value
        && object.get(key).is_none_or(Value::is_null)
    {
        object.insert(key.to_owned(), value);
    }
}

/// The object at a key, made when it is missing; nothing when something else stands there.
fn object_at<'a>(object: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    set_default(object, key, Some(json!({})));
    object.get_mut(key)?.as_object_mut()
}
