//! The table of kinds. One line here makes a kind known to discovery; its knowledge is in the sibling modules.
//!
//! Not to be had on purpose: kinds that no part of the platform would ever act upon, and that would look as if it did.
//! Some of them can be listed, and the list is always empty, since `kubectl apply --prune` and `kubectl cluster-info dump`
//! insist on it (`DaemonSet`, `PersistentVolume`, `ReplicationController`); the others are not known at all
//! (`StorageClass`).

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::kind::{Kind, Storage, Subresource, Verbs};

/// Columns: group, kind, plural, singular, short names, categories, scope, subresources, verbs, storage, and the version
/// where it is not `v1`. Of several versions of a group the first is the one that clients shall prefer.
macro_rules! kinds {
    ($($group:literal $kind:literal $plural:literal $singular:literal [$($short:literal)*] [$($category:literal)*]
       $scope:ident [$($sub:ident)*] $verbs:ident $storage:expr $(, $version:literal)?;)*) => {
        &[$(Kind {
            group: $group, version: version!($($version)?), kind: $kind, plural: $plural, singular: $singular,
            short_names: &[$($short),*], categories: &[$($category),*], namespaced: is_namespaced!($scope),
            subresources: &[$(Subresource::$sub),*], verbs: Verbs::$verbs, storage: $storage, custom: false,
        }),*]
    };
}

macro_rules! version {
    () => {
        "v1"
    };
    ($version:literal) => {
        $version
    };
}

macro_rules! is_namespaced {
    (namespaced) => {
        true
    };
    (cluster) => {
        false
    };
}

const STORED: Storage = Storage::Stored;
const VIRTUAL: Storage = Storage::Virtual;

#[rustfmt::skip]
static KINDS: &[Kind] = kinds! {
    "" "ConfigMap" "configmaps" "configmap" ["cm"] [] namespaced [] ALL STORED;
    "" "Endpoints" "endpoints" "endpoints" ["ep"] [] namespaced [] ALL STORED;
    "" "Event" "events" "event" ["ev"] [] namespaced [] ALL STORED;
    "" "LimitRange" "limitranges" "limitrange" ["limits"] [] namespaced [] ALL STORED;
    "" "Namespace" "namespaces" "namespace" ["ns"] [] cluster [Status Finalize] ALL_SINGLY STORED;
    "" "Node" "nodes" "node" ["no"] [] cluster [Status Proxy] ALL STORED;
    "" "PersistentVolumeClaim" "persistentvolumeclaims" "persistentvolumeclaim" ["pvc"] [] namespaced [Status] ALL STORED;
    "" "PersistentVolume" "persistentvolumes" "persistentvolume" ["pv"] [] cluster [] LOOK STORED;
    "" "Pod" "pods" "pod" ["po"] ["all"] namespaced [Status Log Exec Attach PortForward Proxy Binding Eviction EphemeralContainers] ALL STORED;
    "" "ReplicationController" "replicationcontrollers" "replicationcontroller" ["rc"] ["all"] namespaced [] LOOK STORED;
    "" "ResourceQuota" "resourcequotas" "resourcequota" ["quota"] [] namespaced [Status] ALL STORED;
    "" "Secret" "secrets" "secret" [] [] namespaced [] ALL STORED;
    "" "Service" "services" "service" ["svc"] ["all"] namespaced [Status Proxy] ALL STORED;
    "" "ServiceAccount" "serviceaccounts" "serviceaccount" ["sa"] [] namespaced [Token] ALL STORED;
    "admissionregistration.k8s.io" "MutatingWebhookConfiguration" "mutatingwebhookconfigurations" "mutatingwebhookconfiguration" [] ["api-extensions"] cluster [] ALL STORED;
    "admissionregistration.k8s.io" "ValidatingWebhookConfiguration" "validatingwebhookconfigurations" "validatingwebhookconfiguration" [] ["api-extensions"] cluster [] ALL STORED;
    "apiextensions.k8s.io" "CustomResourceDefinition" "customresourcedefinitions" "customresourcedefinition" ["crd" "crds"] ["api-extensions"] cluster [Status] ALL STORED;
    "apiregistration.k8s.io" "APIService" "apiservices" "apiservice" [] ["api-extensions"] cluster [Status] ALL STORED;
    "apps" "ControllerRevision" "controllerrevisions" "controllerrevision" [] [] namespaced [] ALL STORED;
    "apps" "DaemonSet" "daemonsets" "daemonset" ["ds"] ["all"] namespaced [] LOOK STORED;
    "apps" "Deployment" "deployments" "deployment" ["deploy"] ["all"] namespaced [Status Scale] ALL STORED;
    "apps" "ReplicaSet" "replicasets" "replicaset" ["rs"] ["all"] namespaced [Status Scale] ALL STORED;
    "apps" "StatefulSet" "statefulsets" "statefulset" ["sts"] ["all"] namespaced [Status Scale] ALL STORED;
    "authentication.k8s.io" "SelfSubjectReview" "selfsubjectreviews" "selfsubjectreview" [] [] cluster [] CREATE VIRTUAL;
    "authentication.k8s.io" "TokenReview" "tokenreviews" "tokenreview" [] [] cluster [] CREATE VIRTUAL;
    "authorization.k8s.io" "LocalSubjectAccessReview" "localsubjectaccessreviews" "localsubjectaccessreview" [] [] namespaced [] CREATE VIRTUAL;
    "authorization.k8s.io" "SelfSubjectAccessReview" "selfsubjectaccessreviews" "selfsubjectaccessreview" [] [] cluster [] CREATE VIRTUAL;
    "authorization.k8s.io" "SelfSubjectRulesReview" "selfsubjectrulesreviews" "selfsubjectrulesreview" [] [] cluster [] CREATE VIRTUAL;
    "authorization.k8s.io" "SubjectAccessReview" "subjectaccessreviews" "subjectaccessreview" [] [] cluster [] CREATE VIRTUAL;
    "autoscaling" "HorizontalPodAutoscaler" "horizontalpodautoscalers" "horizontalpodautoscaler" ["hpa"] ["all"] namespaced [Status] ALL STORED, "v2";
    "autoscaling" "HorizontalPodAutoscaler" "horizontalpodautoscalers" "horizontalpodautoscaler" ["hpa"] ["all"] namespaced [Status] ALL Storage::As("autoscaling", "v2", "HorizontalPodAutoscaler");
    "batch" "CronJob" "cronjobs" "cronjob" ["cj"] ["all"] namespaced [Status] ALL STORED;
    "batch" "Job" "jobs" "job" [] ["all"] namespaced [Status] ALL STORED;
    "certificates.k8s.io" "CertificateSigningRequest" "certificatesigningrequests" "certificatesigningrequest" ["csr"] [] cluster [Approval Status] ALL STORED;
    "coordination.k8s.io" "Lease" "leases" "lease" [] [] namespaced [] ALL STORED;
    "discovery.k8s.io" "EndpointSlice" "endpointslices" "endpointslice" [] [] namespaced [] ALL STORED;
    "events.k8s.io" "Event" "events" "event" ["ev"] [] namespaced [] ALL Storage::As("", "v1", "Event");
    "networking.k8s.io" "Ingress" "ingresses" "ingress" ["ing"] [] namespaced [Status] ALL STORED;
    "networking.k8s.io" "IngressClass" "ingressclasses" "ingressclass" [] [] cluster [] ALL STORED;
    "networking.k8s.io" "NetworkPolicy" "networkpolicies" "networkpolicy" ["netpol"] [] namespaced [] ALL STORED;
    "policy" "PodDisruptionBudget" "poddisruptionbudgets" "poddisruptionbudget" ["pdb"] [] namespaced [Status] ALL STORED;
    "rbac.authorization.k8s.io" "ClusterRole" "clusterroles" "clusterrole" [] [] cluster [] ALL STORED;
    "rbac.authorization.k8s.io" "ClusterRoleBinding" "clusterrolebindings" "clusterrolebinding" [] [] cluster [] ALL STORED;
    "rbac.authorization.k8s.io" "Role" "roles" "role" [] [] namespaced [] ALL STORED;
    "rbac.authorization.k8s.io" "RoleBinding" "rolebindings" "rolebinding" [] [] namespaced [] ALL STORED;
};

/// Every kind, by group and then by name.
pub fn all() -> &'static [Kind] {
    KINDS
}

/// The kind that a path names.
pub fn by_resource(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    static INDEX: OnceLock<HashMap<(&str, &str, &str), &Kind>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        KINDS
            .iter()
            .map(|kind| ((kind.group, kind.version, kind.plural), kind))
            .collect()
    });
    index.get(&(group, version, plural)).copied()
}

/// The kind that an object names.
pub fn by_kind(group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
    static INDEX: OnceLock<HashMap<(&str, &str, &str), &Kind>> = OnceLock::new();
    let index = INDEX.get_or_init(|| {
        KINDS
            .iter()
            .map(|kind| ((kind.group, kind.version, kind.kind), kind))
            .collect()
    });
    index.get(&(group, version, kind)).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn finds_every_kind_by_both_names() {
        for kind in all() {
            assert_eq!(by_resource(kind.group, kind.version, kind.plural), Some(kind));
            assert_eq!(by_kind(kind.group, kind.version, kind.kind), Some(kind));
        }
        assert_eq!(by_kind("apps", "v1beta1", "Deployment"), None);
        assert_eq!(by_resource("", "v1", "deployments"), None);
    }

    #[test]
    fn short_names_mean_one_kind_in_a_group() {
        let mut seen = HashSet::new();
        for kind in all() {
            for short in kind.short_names {
                assert!(
                    seen.insert((kind.group, kind.version, short)),
                    "{short} of {} is taken",
                    kind.kind
                );
            }
        }
    }

    #[test]
    fn only_reviews_are_virtual() {
        for kind in all() {
            let review = kind.kind.ends_with("Review");
            assert_eq!(kind.storage == Storage::Virtual, review, "{}", kind.kind);
            assert_eq!(kind.verbs == Verbs::CREATE, review, "{}", kind.kind);
        }
    }
}
