//! What Kubernetes fills in where a user says nothing. The API server calls it on every body before validation, on
//! create and on update. It fills in fields only; what needs a clock, an allocator or other objects is not done here.

mod admission;
mod autoscaler;
mod definition;
mod metadata;
mod network;
mod pod;
mod workload;

use serde_json::Value;

use crate::convert::{convert, storage_kind};
use crate::kind::Kind;

/// Fills in the defaults of a kind. Idempotent.
pub fn apply_defaults(kind: &'static Kind, object: &mut Value) {
    match kind.key() {
        ("", "Pod") => pod::pod(object),
        ("", "Namespace") => metadata::namespace(object),
        ("", "Secret") => metadata::secret(object),
        ("", "LimitRange") => metadata::limit_range(object),
        ("", "PersistentVolumeClaim") => workload::volume_claim(object),
        ("", "Service") => network::service(object),
        ("", "Endpoints") => network::endpoints(object),
        ("", "Node") => metadata::node(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition::definition(object),
        ("apiregistration.k8s.io", "APIService") => admission::api_service(object),
        ("apps", "Deployment") => workload::deployment(object),
        ("apps", "ReplicaSet") => workload::replica_set(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("autoscaling", "HorizontalPodAutoscaler") => {
            // What an older version is given by default, it is given where its objects are stored.
            let stored = storage_kind(kind);
            let mut full = convert(kind, stored, object.take());
            autoscaler::autoscaler(&mut full);
            *object = convert(stored, kind, full);
        }
        ("batch", "Job") => workload::job(object),
        ("batch", "CronJob") => workload::cron_job(object),
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice(object),
        ("networking.k8s.io", "IngressClass") => network::ingress_class(object),
        ("networking.k8s.io", "NetworkPolicy") => network::network_policy(object),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => admission::binding(object),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration") => admission::webhooks(object, true),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration") => {
            admission::webhooks(object, false);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
