//! The rules that an object has to keep, with the messages, paths and reasons of Kubernetes.
//!
//! The API server calls it after defaulting and admission. Types are known to be right by then (see `schema`), and a
//! field of the wrong type reads as empty. Here are the rules that one object can break by itself; rules between
//! objects (quota, limits, taken addresses) are the admission chain's and the API server's.

mod access;
mod api_service;
mod autoscaler;
mod certificate;
mod cluster;
mod config;
mod definition;
mod endpoints;
mod event;
mod ingress;
mod job;
mod job_policies;
mod job_status;
mod labels;
mod limits;
mod metadata;
pub(crate) mod names;
mod network;
mod path;
mod pod;
mod rbac;
mod service;
mod stateful_set;
mod status;
mod storage;
mod webhook;
mod workload;

use std::borrow::Cow;

use serde_json::Value;

use crate::FieldError;
use crate::convert::{convert, storage_kind};
use crate::kind::{Kind, Subresource};
pub(crate) use names::is_subdomain;
use path::Errors;

/// What is wrong with a new object; empty when nothing is.
pub fn validate_create(kind: &'static Kind, object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::new();
    metadata::validate(kind, object, &mut errors);
    validate_content(kind, object, &mut errors);
    match kind.key() {
        ("", "Pod") => pod::validate_new(object, &mut errors),
        ("events.k8s.io", _) => event::validate_new(kind, object, &mut errors),
        ("", "Service") => service::validate_new(object, &mut errors),
        ("apps", "StatefulSet") => stateful_set::validate_new(object, &mut errors),
        ("autoscaling", _) => autoscaler::autoscaler(&stored(kind, object), None, &mut errors),
        ("batch", "Job") => job::validate_new(object, &mut errors),
        ("networking.k8s.io", "Ingress") => ingress::validate_new(object, &mut errors),
        _ => {}
    }
    errors
}

/// What is wrong with the labels of an object, by themselves.
pub fn validate_labels(labels: &Value) -> Vec<FieldError> {
    let mut errors = Errors::new();
    labels::labels(Some(labels), "metadata.labels", &mut errors);
    errors
}

/// What is wrong with the annotations of an object, by themselves.
pub fn validate_annotations(annotations: &Value) -> Vec<FieldError> {
    let mut errors = Errors::new();
    labels::annotations(Some(annotations), "metadata.annotations", &mut errors);
    errors
}

/// What is wrong with a change through a door; empty when nothing is.
pub fn validate_update(
    kind: &'static Kind,
    old: &Value,
    new: &Value,
    subresource: Option<Subresource>,
) -> Vec<FieldError> {
    let mut errors = Errors::new();
    metadata::validate(kind, new, &mut errors);
    metadata::validate_update(old, new, &mut errors);
    match subresource {
        Some(Subresource::Status) => validate_status(kind, old, new, &mut errors),
        Some(Subresource::Approval) => certificate::validate_conditions(old, new, &mut errors),
        Some(Subresource::EphemeralContainers) => {
            validate_content(kind, new, &mut errors);
            pod::validate_ephemeral_update(old, new, &mut errors);
        }
        // The scheduler chooses a node, and nothing else.
        Some(Subresource::Binding) => {}
        Some(_) | None => {
            validate_content(kind, new, &mut errors);
            validate_change(kind, old, new, &mut errors);
        }
    }
    errors
}

/// The object in the version in which it is stored: rules are the same in all.
fn stored<'a>(kind: &'static Kind, object: &'a Value) -> Cow<'a, Value> {
    let stored = storage_kind(kind);
    if stored == kind {
        Cow::Borrowed(object)
    } else {
        Cow::Owned(convert(kind, stored, object.clone()))
    }
}

fn validate_content(kind: &Kind, object: &Value, errors: &mut Errors) {
    match kind.key() {
        ("", "Pod") => pod::validate(object, errors),
        ("", "Namespace") => cluster::namespace(object, errors),
        ("", "Node") => cluster::node(object, errors),
        ("", "Service") => service::validate(object, errors),
        ("", "Endpoints") => endpoints::endpoints(object, errors),
        ("", "ConfigMap") => config::config_map(object, errors),
        ("", "Secret") => config::secret(object, errors),
        ("", "Event") => event::event(object, errors),
        ("", "ResourceQuota") => limits::quota(object, errors),
        ("", "LimitRange") => limits::limit_range(object, errors),
        ("", "PersistentVolumeClaim") => storage::claim(object, "spec", errors),
        ("apiextensions.k8s.io", _) => definition::validate(object, errors),
        ("apiregistration.k8s.io", _) => api_service::validate(object, errors),
        ("apps", "Deployment") => workload::deployment(object, errors),
        ("apps", "ReplicaSet") => workload::replica_set(object, errors),
        ("apps", "StatefulSet") => stateful_set::stateful_set(object, errors),
        ("apps", "ControllerRevision") => workload::revision(object, errors),
        ("batch", "Job") => job::job(object, errors),
        ("batch", "CronJob") => job::cron_job(object, errors),
        ("discovery.k8s.io", "EndpointSlice") => endpoints::slice(object, errors),
        ("networking.k8s.io", "Ingress") => ingress::validate(object, errors),
        ("networking.k8s.io", "IngressClass") => ingress::class(object, errors),
        ("networking.k8s.io", "NetworkPolicy") => network::policy(object, errors),
        ("rbac.authorization.k8s.io", "Role") => rbac::rules(object, true, errors),
        ("rbac.authorization.k8s.io", "ClusterRole") => rbac::rules(object, false, errors),
        ("rbac.authorization.k8s.io", "RoleBinding") => rbac::binding(object, true, errors),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => rbac::binding(object, false, errors),
        ("certificates.k8s.io", _) => certificate::validate(object, errors),
        ("coordination.k8s.io", "Lease") => cluster::lease(object, errors),
        ("policy", "PodDisruptionBudget") => cluster::budget(object, errors),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => {
            webhook::validate(object, true, errors);
        }
        ("admissionregistration.k8s.io", _) => webhook::validate(object, false, errors),
        ("authentication.k8s.io", "TokenReview") => access::token(object, errors),
        ("authorization.k8s.io", name) => access::review(name, object, errors),
        _ => {}
    }
}

fn validate_change(kind: &'static Kind, old: &Value, new: &Value, errors: &mut Errors) {
    match kind.key() {
        ("", "Pod") => pod::validate_update(old, new, errors),
        ("", "Service") => service::validate_update(old, new, errors),
        ("", "ConfigMap" | "Secret") => config::validate_update(kind, old, new, errors),
        ("", "PersistentVolumeClaim") => storage::validate_update(old, new, errors),
        ("", "ResourceQuota") => limits::validate_quota_update(old, new, errors),
        ("apiextensions.k8s.io", _) => definition::validate_update(old, new, errors),
        ("apps", "Deployment" | "ReplicaSet") => path::unchanged(old, new, &["spec", "selector"], errors),
        ("apps", "StatefulSet") => stateful_set::validate_update(old, new, errors),
        ("apps", "ControllerRevision") => path::unchanged(old, new, &["data"], errors),
        ("autoscaling", _) => {
            let old = stored(kind, old);
            autoscaler::autoscaler(&stored(kind, new), Some(&old), errors);
        }
        ("batch", "Job") => job::validate_update(old, new, errors),
        ("events.k8s.io", _) => event::validate_update(kind, old, new, errors),
        ("discovery.k8s.io", "EndpointSlice") => path::unchanged(old, new, &["addressType"], errors),
        ("networking.k8s.io", "IngressClass") => path::unchanged(old, new, &["spec", "controller"], errors),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            rbac::validate_update(old, new, errors);
        }
        _ => {}
    }
}

fn validate_status(kind: &Kind, old: &Value, new: &Value, errors: &mut Errors) {
    match kind.key() {
        ("certificates.k8s.io", _) => certificate::validate_conditions(old, new, errors),
        ("", "Service") => service::validate_status(new, errors),
        ("apiextensions.k8s.io", _) => definition::validate_status(new, errors),
        ("apps", "ReplicaSet") => status::replica_set(new, errors),
        ("apps", "Deployment") => status::deployment(old, new, errors),
        ("apps", "StatefulSet") => status::stateful_set(old, new, errors),
        ("policy", _) => status::budget(new, errors),
        ("batch", "Job") => job_status::validate(old, new, errors),
        ("autoscaling", _) => autoscaler::status(new, errors),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
