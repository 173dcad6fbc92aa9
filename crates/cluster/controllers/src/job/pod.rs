//! The Pods of a Job: out of its template, with the finalizer by which they are counted and, where there are indexes,
//! with theirs. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{self, Container, EnvVar, EnvVarSource, ObjectFieldSelector, PodSpec};

use super::facts::{
    COMPLETION_INDEX, FAILURES, IGNORED_FAILURES, TRACKING, earlier_failures, limit_per_index,
};
use super::failure_policy::consequence;
use super::plan::NewPod;
use crate::owner::controlled_by;
use crate::pod::Pod;
use crate::template::{PodName, desired_pod};

/// The variable in which a container finds its index.
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";
/// Longest prefix of a generated name: 63 less the five letters that the API adds.
const LONGEST_PREFIX: usize = 58;

/// The Pod that `new` asks for.
pub(crate) fn desired(job: &Job, new: &NewPod) -> v1::Pod {
    let template = job
        .spec
        .as_ref()
        .map(|spec| spec.template.clone())
        .unwrap_or_default();
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let namespace = job.metadata.namespace.as_deref().unwrap_or_default();
    let prefix = new
        .index
        .map_or_else(|| format!("{name}-"), |index| indexed_prefix(name, index));
    let mut pod = desired_pod(&template, namespace, PodName::Prefix(prefix), controlled_by(job));
    let finalizers = pod.metadata.finalizers.get_or_insert_default();
    if !finalizers.iter().any(|known| known == TRACKING) {
        finalizers.push(TRACKING.to_owned());
    }
    if let Some(index) = new.index {
        give_index(&mut pod, name, index);
        if limit_per_index(job).is_some() {
            let annotations = pod.metadata.annotations.get_or_insert_default();
            note_failures(job, new.after.as_deref(), annotations);
        }
    }
    pod
}

fn indexed_prefix(job: &str, index: u32) -> String {
    let end = format!("-{index}-");
    let start: String = job
        .chars()
        .take(LONGEST_PREFIX.saturating_sub(end.len()))
        .collect();
    start + &end
}

fn give_index(pod: &mut v1::Pod, job: &str, index: u32) {
    let text = index.to_string();
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(COMPLETION_INDEX.to_owned(), text.clone());
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(COMPLETION_INDEX.to_owned(), text);
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(format!("{job}-{index}"));
    containers(spec).for_each(tell_index);
}

fn containers(spec: &mut PodSpec) -> impl Iterator<Item = &mut Container> {
    spec.containers
        .iter_mut()
        .chain(spec.init_containers.iter_mut().flatten())
}

fn tell_index(container: &mut Container) {
    let variables = container.env.get_or_insert_default();
    if variables.iter().any(|known| known.name == INDEX_VARIABLE) {
        return;
    }
    let field = ObjectFieldSelector {
        api_version: None,
        field_path: format!("metadata.labels['{COMPLETION_INDEX}']"),
    };
    variables.push(EnvVar {
        name: INDEX_VARIABLE.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(field),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    });
}

/// Writes the failures of the index into its new Pod; the Pod before it is gone for the count then.
fn note_failures(job: &Job, before: Option<&Pod>, annotations: &mut BTreeMap<String, String>) {
    let (mut counted, mut ignored) = before.map_or((0, 0), earlier_failures);
    if let Some(before) = before {
        if consequence(job, before).counts() {
            counted = counted.saturating_add(1);
        } else {
            ignored = ignored.saturating_add(1);
        }
    }
    annotations.insert(FAILURES.to_owned(), counted.to_string());
    if ignored > 0 {
        annotations.insert(IGNORED_FAILURES.to_owned(), ignored.to_string());
    }
}
