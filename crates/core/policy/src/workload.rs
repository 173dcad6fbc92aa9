//! Everything that carries a Pod's specification, seen as one thing: Pods themselves and the templates of workloads.

mod shape;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EphemeralContainer, Lifecycle, PodSpec, Probe, SecurityContext, VolumeMount,
};
use serde::Deserializer;
use serde_json::Error;

use self::shape::{Metadata, Shape};

/// The service account of Pods that name none.
const DEFAULT_ACCOUNT: &str = "default";

/// A Pod's specification, where it was found, and whose it is.
#[derive(Clone, Debug)]
pub struct Workload {
    kind: String,
    namespace: String,
    name: String,
    path: &'static str,
    metadata: Option<Metadata>,
    spec: Box<PodSpec>,
}

/// Why an object is not a workload.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The kind carries no Pods, as far as this program knows.
    #[error("Unsupported Kind={0}: Pods and their templates are what this guard looks at")]
    UnsupportedKind(String),
    /// The specification is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The specification cannot be read.
    #[error("{field} cannot be read")]
    Unreadable {
        /// Where it should be.
        field: &'static str,
        /// What is wrong with it.
        source: Error,
    },
}

/// Where the template of Pods stands in an object.
pub(crate) struct TemplatePlace {
    /// Pointer to what has metadata and specification; empty when it is the object itself.
    pub(crate) template: &'static str,
    /// Pointer to the specification.
    pub(crate) spec: &'static str,
    /// The same as verdicts write it.
    path: &'static str,
    shape: Shape,
}

/// Where objects of this kind have their template; none for kinds that carry no Pods.
pub(crate) fn template_of(kind: &str) -> Option<TemplatePlace> {
    let (shape, template, path, spec) = match kind {
        "Pod" => (Shape::Pod, "", "spec", "/spec"),
        "PodTemplate" => (Shape::Template, "/template", "template.spec", "/template/spec"),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "ReplicationController" | "Job" => (
            Shape::Workload,
            "/spec/template",
            "spec.template.spec",
            "/spec/template/spec",
        ),
        "CronJob" => (
            Shape::Schedule,
            "/spec/jobTemplate/spec/template",
            "spec.jobTemplate.spec.template.spec",
            "/spec/jobTemplate/spec/template/spec",
        ),
        _ => return None,
    };
    Some(TemplatePlace {
        template,
        spec,
        path,
        shape,
    })
}

/// Keys on the way to the template of Pods in an object of this kind; none for Pods themselves and kinds that carry none.
pub fn template_place(kind: &str) -> Option<&'static [&'static str]> {
    Some(match template_of(kind)?.shape {
        Shape::Pod => return None,
        Shape::Template => &["template"],
        Shape::Workload => &["spec", "template"],
        Shape::Schedule => &["spec", "jobTemplate", "spec", "template"],
    })
}

impl Workload {
    /// Reads the Pod specification out of an object of this kind.
    ///
    /// # Errors
    /// When the kind carries no Pods, or what it should carry is missing or cannot be read.
    pub fn read<'a, O>(kind: &str, namespace: &str, object: O) -> Result<Self, WorkloadError>
    where
        O: Deserializer<'a, Error = Error>,
    {
        let Some(place) = template_of(kind) else {
            return Err(WorkloadError::UnsupportedKind(crate::verdict::bare(kind)));
        };
        let field = place.path;
        let found = place
            .shape
            .read(object)
            .map_err(|source| WorkloadError::Unreadable { field, source })?;
        Ok(Self {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: found.name,
            path: field,
            metadata: found.metadata,
            spec: found.spec.ok_or(WorkloadError::Missing(field))?,
        })
    }

    /// Kind of the object.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Namespace of the object.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Name of the object, or the beginning of it where the API completes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Pod specification.
    pub fn spec(&self) -> &PodSpec {
        &self.spec
    }

    /// The same, to be changed as the object is.
    pub(crate) fn spec_mut(&mut self) -> &mut PodSpec {
        &mut self.spec
    }

    /// Whether the Pod, or the template, has metadata at all.
    pub(crate) fn has_metadata(&self) -> bool {
        self.metadata.is_some()
    }

    /// Whether its metadata has a map of annotations, be it an empty one.
    pub(crate) fn has_annotations(&self) -> bool {
        self.annotation_map().is_some()
    }

    /// A label that the Pod has or will have.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        let labels = self.metadata.as_ref()?.labels.as_ref()?;
        labels.get(key).map(String::as_str)
    }

    /// All annotations that the Pod has or will have.
    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        let annotations = self.annotation_map().into_iter().flatten();
        annotations.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// An annotation that the Pod has or will have.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotation_map()?.get(key).map(String::as_str)
    }

    /// The same, of a family that ends with a container's name.
    pub(crate) fn annotation_of(&self, family: &str, container: &str) -> Option<&str> {
        let annotations = self.annotation_map()?;
        // Most Pods have none of them: nothing is put together for those.
        let mut found = annotations.range::<str, _>((Bound::Included(family), Bound::Unbounded));
        let (key, _) = found.next()?;
        if !key.starts_with(family) {
            return None;
        }
        annotations
            .get(&format!("{family}{container}"))
            .map(String::as_str)
    }

    fn annotation_map(&self) -> Option<&BTreeMap<String, String>> {
        self.metadata.as_ref()?.annotations.as_ref()
    }

    /// The service account that the Pod runs as.
    pub fn service_account(&self) -> &str {
        [&self.spec.service_account_name, &self.spec.service_account]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .map_or(DEFAULT_ACCOUNT, String::as_str)
    }

    /// Whether this is a Pod itself, about to run, and not a template of one.
    pub fn is_pod(&self) -> bool {
        self.kind == "Pod"
    }

    /// Path of a field of the Pod specification, from the object's top.
    pub(crate) fn field(&self, below: impl fmt::Display) -> String {
        format!("{}.{below}", self.path)
    }

    /// All containers: those that run, those that run before, and those added for debugging.
    pub(crate) fn containers(&self) -> impl Iterator<Item = AnyContainer<'_>> {
        let init = self.spec.init_containers.iter().flatten().enumerate();
        let ephemeral = self.spec.ephemeral_containers.iter().flatten().enumerate();
        let main = self.spec.containers.iter().enumerate();
        init.map(|(i, container)| AnyContainer::plain("initContainers", i, container))
            .chain(main.map(|(i, container)| AnyContainer::plain("containers", i, container)))
            .chain(
                ephemeral.map(|(i, container)| AnyContainer::ephemeral("ephemeralContainers", i, container)),
            )
    }
}

/// What all sorts of containers have in common.
#[derive(Debug)]
pub(crate) struct AnyContainer<'a> {
    pub(crate) list: &'static str,
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) image: Option<&'a str>,
    pub(crate) security: Option<&'a SecurityContext>,
    pub(crate) ports: &'a [ContainerPort],
    pub(crate) mounts: &'a [VolumeMount],
    pub(crate) lifecycle: Option<&'a Lifecycle>,
    pub(crate) probes: [(&'static str, Option<&'a Probe>); 3],
}

macro_rules! any_container {
    ($list:expr, $index:expr, $container:expr) => {
        AnyContainer {
            list: $list,
            index: $index,
            name: &$container.name,
            image: $container.image.as_deref(),
            security: $container.security_context.as_ref(),
            ports: $container.ports.as_deref().unwrap_or_default(),
            mounts: $container.volume_mounts.as_deref().unwrap_or_default(),
            lifecycle: $container.lifecycle.as_ref(),
            probes: [
                ("livenessProbe", $container.liveness_probe.as_ref()),
                ("readinessProbe", $container.readiness_probe.as_ref()),
                ("startupProbe", $container.startup_probe.as_ref()),
            ],
        }
    };
}

impl<'a> AnyContainer<'a> {
    fn plain(list: &'static str, index: usize, container: &'a Container) -> Self {
        any_container!(list, index, container)
    }

    fn ephemeral(list: &'static str, index: usize, container: &'a EphemeralContainer) -> Self {
        any_container!(list, index, container)
    }

    /// Path of a field of this container, from the Pod specification. Put into words where something is wrong with the
    /// field: most of the time nothing is.
    pub(crate) fn field<D: fmt::Display>(&self, below: D) -> impl fmt::Display + use<D> {
        let (list, index) = (self.list, self.index);
        fmt::from_fn(move |f| write!(f, "{list}[{index}].{below}"))
    }
}
