//! A Pod out of a template, for every controller that makes Pods.

use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ObjectMeta;

/// How the new Pod gets its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PodName {
    /// Exactly that.
    Exact(String),
    /// That, followed by random letters of the API's choice.
    Prefix(String),
}

/// The Pod that `template` describes, controlled by `owner`.
pub(crate) fn desired_pod(
    template: &PodTemplateSpec,
    namespace: &str,
    name: PodName,
    owner: OwnerReference,
) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    let (name, generate_name) = match name {
        PodName::Exact(name) => (Some(name), None),
        PodName::Prefix(prefix) => (None, Some(prefix)),
    };
    Pod {
        metadata: ObjectMeta {
            name,
            generate_name,
            namespace: Some(namespace.to_owned()),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}
