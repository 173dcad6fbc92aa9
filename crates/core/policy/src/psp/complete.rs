//! What a policy gives a Pod, as changes of its object. It adds, and never overrides.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Capabilities, SELinuxOptions};
use serde::Serialize;

use super::PSP_ANNOTATION;
use super::defaults::{ContainerDefaults, Defaults};
use super::profile::{self, Profile};
use crate::workload::AnyContainer;
use crate::{Changes, Workload};

const CONTEXT: &str = "securityContext";
const CAPABILITIES: &str = "capabilities";

/// A value that a policy gives.
#[derive(Serialize)]
#[serde(untagged)]
enum Gift<'a> {
    Flag(bool),
    Id(i64),
    Ids([i64; 1]),
    SeLinux(&'a SELinuxOptions),
    Profile(Profile<'a>),
    Capabilities(GivenCapabilities<'a>),
}

/// The capabilities of a container that names none.
#[derive(Serialize)]
struct GivenCapabilities<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    add: &'a [&'a str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    drop: &'a [&'a str],
}

/// The changes that complete a Pod, and note the policy.
pub(super) fn completion(pod: &Workload, policy: &str, defaults: &Defaults<'_>) -> Changes {
    let mut changes = Changes::default();
    note(pod, policy, &mut changes);
    complete_pod(pod, defaults, &mut changes);
    for (container, defaults) in pod.containers().zip(&defaults.containers) {
        complete_container(&container, defaults, &mut changes);
    }
    changes
}

fn note(pod: &Workload, policy: &str, changes: &mut Changes) {
    if pod.annotation(PSP_ANNOTATION) == Some(policy) {
        return;
    }
    let annotations = BTreeMap::from([(PSP_ANNOTATION, policy)]);
    if pod.has_annotations() {
        changes.add(&["metadata", "annotations", PSP_ANNOTATION], policy);
    } else if pod.has_metadata() {
        changes.add(&["metadata", "annotations"], annotations);
    } else {
        changes.add(&["metadata"], BTreeMap::from([("annotations", annotations)]));
    }
}

fn complete_pod(pod: &Workload, defaults: &Defaults<'_>, changes: &mut Changes) {
    if let Some(class) = defaults.runtime_class {
        changes.add(&["spec", "runtimeClassName"], class);
    }
    let fields = [
        ("fsGroup", defaults.fs_group.map(Gift::Id)),
        (
            "supplementalGroups",
            defaults.supplemental_group.map(|group| Gift::Ids([group])),
        ),
        ("seLinuxOptions", defaults.se_linux.map(Gift::SeLinux)),
        ("seccompProfile", given_profile(defaults.seccomp)),
    ];
    changes.set(&["spec", CONTEXT], pod.spec().security_context.is_some(), &fields);
}

fn complete_container(container: &AnyContainer<'_>, defaults: &ContainerDefaults<'_>, changes: &mut Changes) {
    let index = container.index.to_string();
    let place = ["spec", container.list, &index, CONTEXT];
    let own = container.security;
    let own_capabilities = own.and_then(|own| own.capabilities.as_ref());
    if let Some(there) = own_capabilities {
        complete_capabilities(place, there, defaults, changes);
    }
    let fields = [
        ("runAsUser", defaults.run_as_user.map(Gift::Id)),
        ("runAsGroup", defaults.run_as_group.map(Gift::Id)),
        (
            "runAsNonRoot",
            defaults.run_as_non_root.then_some(Gift::Flag(true)),
        ),
        ("seccompProfile", given_profile(defaults.seccomp)),
        ("appArmorProfile", given_profile(defaults.apparmor)),
        (
            "readOnlyRootFilesystem",
            defaults.read_only_root.then_some(Gift::Flag(true)),
        ),
        ("allowPrivilegeEscalation", defaults.escalation.map(Gift::Flag)),
        (
            CAPABILITIES,
            given_capabilities(defaults).filter(|_| own_capabilities.is_none()),
        ),
    ];
    changes.set(&place, own.is_some(), &fields);
}

fn given_profile(name: Option<&str>) -> Option<Gift<'_>> {
    name.and_then(profile::field).map(Gift::Profile)
}

fn given_capabilities<'a>(defaults: &'a ContainerDefaults<'_>) -> Option<Gift<'a>> {
    let (add, drop) = (defaults.add.as_slice(), defaults.drop.as_slice());
    let none = add.is_empty() && drop.is_empty();
    (!none).then_some(Gift::Capabilities(GivenCapabilities { add, drop }))
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
        changes.append(&place, there, names);
    }
}
