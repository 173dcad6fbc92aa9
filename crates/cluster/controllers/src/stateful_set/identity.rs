//! Who the Pods of a `StatefulSet` are: their names, numbers and claims. Pure.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    self, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, PodTemplateSpec, Volume,
};
use kube::api::ObjectMeta;

use crate::object::Object;
use crate::owner::controlled_by;
use crate::pod::Pod;
use crate::revisions::HASH;
use crate::template::{PodName, desired_pod};

/// A template and the revision that keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// The name of the revision.
    pub(crate) revision: String,
    /// The template.
    pub(crate) template: PodTemplateSpec,
}

/// The number in a Pod's name, if it is one of that set's.
pub(crate) fn ordinal(set: &StatefulSet, pod: &Pod) -> Option<i32> {
    let digits = pod
        .name()
        .strip_prefix(set.metadata.name.as_deref()?)?
        .strip_prefix('-')?;
    let number = digits.parse::<i32>().ok()?;
    // "web-01" is not the Pod of number 1.
    (number.to_string() == digits).then_some(number)
}

/// The revision that a Pod was made from.
pub(crate) fn revision_of(pod: &Pod) -> &str {
    pod.label(HASH).unwrap_or_default()
}

/// The Pod with that number.
pub(crate) fn numbered_pod(set: &StatefulSet, version: &Version, number: i32) -> v1::Pod {
    let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
    let name = format!("{}-{number}", set.metadata.name.as_deref().unwrap_or_default());
    let mut pod = desired_pod(
        &version.template,
        namespace,
        PodName::Exact(name.clone()),
        controlled_by(set),
    );
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert("statefulset.kubernetes.io/pod-name".into(), name.clone());
    labels.insert("apps.kubernetes.io/pod-index".into(), number.to_string());
    labels.insert(HASH.into(), version.revision.clone());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name.clone());
    spec.subdomain.clone_from(&set.spec.service_name);
    let volumes = spec.volumes.get_or_insert_default();
    for claim in templates(set) {
        let volume = claim.metadata.name.clone().unwrap_or_default();
        // A claim takes the place of a volume of the same name in the template.
        volumes.retain(|known| known.name != volume);
        let source = PersistentVolumeClaimVolumeSource {
            claim_name: format!("{volume}-{name}"),
            read_only: None,
        };
        volumes.push(Volume {
            name: volume,
            persistent_volume_claim: Some(source),
            ..Volume::default()
        });
    }
    if volumes.is_empty() {
        spec.volumes = None;
    }
    pod
}

/// The claims of the Pod with that number.
pub(crate) fn claims(set: &StatefulSet, number: i32) -> Vec<PersistentVolumeClaim> {
    let pod = format!("{}-{number}", set.metadata.name.as_deref().unwrap_or_default());
    let named = |template: &PersistentVolumeClaim| {
        let mut labels = template.metadata.labels.clone().unwrap_or_default();
        labels.extend(set.spec.selector.match_labels.clone().unwrap_or_default());
        PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(format!(
                    "{}-{pod}",
                    template.metadata.name.as_deref().unwrap_or_default()
                )),
                namespace: set.metadata.namespace.clone(),
                labels: Some(labels),
                annotations: template.metadata.annotations.clone(),
                ..ObjectMeta::default()
            },
            spec: template.spec.clone(),
            status: None,
        }
    };
    templates(set).iter().map(named).collect()
}

fn templates(set: &StatefulSet) -> &[PersistentVolumeClaim] {
    set.spec.volume_claim_templates.as_deref().unwrap_or_default()
}
