//! What a policy gives a Pod, as changes of its object. It adds, and never overrides.

use json_patch::PatchOperation;
use k8s_openapi::api::core::v1::Capabilities;
use serde_json::{Map, Value, json};

use super::PSP_ANNOTATION;
use super::defaults::{ContainerDefaults, Defaults};
use super::profile;
use crate::Workload;
use crate::changes::Changes;
use crate::workload::AnyContainer;

const CONTEXT: &str = "securityContext";
const CAPABILITIES: &str = "capabilities";

/// The changes that complete a Pod, and note the policy.
pub(super) fn completion(pod: &Workload, policy: &str, defaults: &Defaults<'_>) -> Vec<PatchOperation> {
    let mut changes = Changes::default();
    note(pod, policy, &mut changes);
    complete_pod(pod, defaults, &mut changes);
    for (container, defaults) in pod.containers().zip(&defaults.containers) {
        complete_container(&container, defaults, &mut changes);
    }
    changes.into_patch()
}

fn note(pod: &Workload, policy: &str, changes: &mut Changes) {
    if pod.annotation(PSP_ANNOTATION) == Some(policy) {
        return;
    }
    if pod.has_annotations() {
        changes.add(&["metadata", "annotations", PSP_ANNOTATION], policy);
    } else if pod.has_metadata() {
        changes.add(&["metadata", "annotations"], json!({PSP_ANNOTATION: policy}));
    } else {
        changes.add(&["metadata"], json!({"annotations": {PSP_ANNOTATION: policy}}));
    }
}

fn complete_pod(pod: &Workload, defaults: &Defaults<'_>, changes: &mut Changes) {
    if let Some(class) = defaults.runtime_class {
        changes.add(&["spec", "runtimeClassName"], class);
    }
    let groups = defaults.supplemental_group.map(|group| json!([group]));
    let fields = given([
        ("fsGroup", defaults.fs_group.map(Value::from)),
        ("supplementalGroups", groups),
        ("seLinuxOptions", defaults.se_linux.map(|options| json!(options))),
        ("seccompProfile", defaults.seccomp.and_then(profile::field)),
    ]);
    changes.set(&["spec", CONTEXT], pod.spec().security_context.is_some(), fields);
}

fn complete_container(container: &AnyContainer<'_>, defaults: &ContainerDefaults<'_>, changes: &mut Changes) {
    let index = container.index.to_string();
    let place = ["spec", container.list, &index, CONTEXT];
    let own = container.security;
    let mut fields = context(defaults);
    match own.and_then(|own| own.capabilities.as_ref()) {
        Some(there) => complete_capabilities(place, there, defaults, changes),
        None => fields.extend(capabilities(defaults)),
    }
    changes.set(&place, own.is_some(), fields);
}

/// What is given of a container's security context, its capabilities apart.
fn context(defaults: &ContainerDefaults<'_>) -> Map<String, Value> {
    given([
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
    ])
}

/// The same of the capabilities of a container that names none.
fn capabilities(defaults: &ContainerDefaults<'_>) -> Map<String, Value> {
    let list = |names: &[&str]| (!names.is_empty()).then(|| json!(names));
    let lists = given([("add", list(&defaults.add)), ("drop", list(&defaults.drop))]);
    given([(CAPABILITIES, (!lists.is_empty()).then_some(lists.into()))])
}

fn complete_capabilities(
    [spec, list, index, context]: [&str; 4],
    there: &Capabilities,
    defaults: &ContainerDefaults<'_>,
    changes: &mut Changes,
) {
    for (field, there, names) in [
        ("add", there.add.is_some(), &defaults.add),
        ("drop", there.drop.is_some(), &defaults.drop),
    ] {
        let place = [spec, list, index, context, CAPABILITIES, field];
        let names = names.iter().map(|name| json!(name));
        changes.append(&place, there, names.collect());
    }
}

/// The fields that have a value.
fn given<const N: usize>(fields: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let fields = fields.into_iter();
    fields
        .filter_map(|(field, value)| Some((field.to_owned(), value?)))
        .collect()
}
