//! What guards read of an object that carries Pods: as much of it as they look at, in one pass.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use serde::{Deserialize, Deserializer};

/// What is read of the metadata of an object, or of a template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    name: Option<String>,
    generate_name: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// Where an object has its Pods.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// It is one.
    Pod,
    /// Below `template`.
    Template,
    /// Below `spec.template`.
    Workload,
    /// Below `spec.jobTemplate.spec.template`.
    Schedule,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Found {
    /// Name of the object, or the beginning of it where the API completes it.
    pub(super) name: String,
    /// Of the Pod that it is or makes.
    pub(super) metadata: Option<Metadata>,
    pub(super) spec: Option<Box<PodSpec>>,
}

/// A Pod, or a template of Pods.
#[derive(Default, Deserialize)]
struct Pod {
    metadata: Option<Metadata>,
    /// On the heap, for it is large and handed on several times.
    spec: Option<Box<PodSpec>>,
}

/// What has something below `template`.
#[derive(Deserialize)]
struct Templated {
    metadata: Option<Metadata>,
    template: Option<Pod>,
}

/// What has something below `spec`.
#[derive(Deserialize)]
struct Specified<T> {
    metadata: Option<Metadata>,
    spec: Option<T>,
}

/// What has something below `jobTemplate`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scheduled {
    job_template: Option<Specified<Templated>>,
}

impl Shape {
    pub(super) fn read<'a, O: Deserializer<'a>>(self, object: O) -> Result<Found, O::Error> {
        Ok(match self {
            Self::Pod => {
                let pod = Pod::deserialize(object)?;
                let name = pod.metadata.as_ref().map(Metadata::shown);
                Found::of(name.unwrap_or_default(), Some(pod))
            }
            Self::Template => {
                let object = Templated::deserialize(object)?;
                Found::below(object.metadata, object.template)
            }
            Self::Workload => {
                let object = Specified::<Templated>::deserialize(object)?;
                Found::below(object.metadata, object.spec.and_then(|spec| spec.template))
            }
            Self::Schedule => {
                let object = Specified::<Scheduled>::deserialize(object)?;
                let job = object.spec.and_then(|spec| spec.job_template?.spec);
                Found::below(object.metadata, job.and_then(|job| job.template))
            }
        })
    }
}

impl Found {
    fn below(metadata: Option<Metadata>, template: Option<Pod>) -> Self {
        Self::of(metadata.unwrap_or_default().shown(), template)
    }

    fn of(name: String, pod: Option<Pod>) -> Self {
        let Pod { metadata, spec } = pod.unwrap_or_default();
        Self { name, metadata, spec }
    }
}

impl Metadata {
    fn shown(&self) -> String {
        let name = self.name.as_ref().or(self.generate_name.as_ref());
        name.cloned().unwrap_or_default()
    }
}
