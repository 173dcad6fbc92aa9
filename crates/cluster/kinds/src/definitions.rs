//! The published types, by the names that they have in `OpenAPI`. `schema` makes its compact form from them, `openapi`
//! its documents. Building them allocates a megabyte or two: callers keep only what they make of it.

use k8s_openapi::api::{
    admissionregistration::v1 as admissionregistration, apps::v1 as apps,
    authentication::v1 as authentication, authorization::v1 as authorization,
    autoscaling::v1 as autoscaling_v1, autoscaling::v2 as autoscaling, batch::v1 as batch,
    certificates::v1 as certificates, coordination::v1 as coordination, core::v1 as core,
    discovery::v1 as discovery, events::v1 as events, networking::v1 as networking, policy::v1 as policy,
    rbac::v1 as rbac,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

/// Group, version and kind.
pub(crate) type Place = (&'static str, &'static str, &'static str);

/// Definitions, and the name of the definition of each kind.
pub(crate) struct Definitions {
    /// Name to schema, with references as `OpenAPI` 3 wants them.
    pub(crate) schemas: Map<String, Value>,
    /// Group, version, kind and name of definition.
    pub(crate) roots: Vec<(Place, String)>,
}

/// Prefix of references between definitions.
pub(crate) const REFERENCE: &str = "#/components/schemas/";

/// Definitions that every document has: what deletions take, and what answers with no object are.
pub(crate) const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
/// See [`DELETE_OPTIONS`].
pub(crate) const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";
/// The body of a patch.
pub(crate) const PATCH: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const PATCH_IS: &str =
    "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.";
/// The metadata of lists.
pub(crate) const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

macro_rules! roots {
    ($generator:ident, $wanted:ident, $($group:literal $version:literal: $module:ident { $($kind:ident)* })*) => {{
        let mut roots = Vec::new();
        $(if $wanted($group, $version) {
            $(
                let name = <$module::$kind as schemars::JsonSchema>::schema_name().into_owned();
                $generator.subschema_for::<$module::$kind>();
                roots.push((($group, $version, stringify!($kind)), name));
            )*
        })*
        roots
    }};
}

/// The definitions of the groups and versions that are wanted, and all that they refer to.
pub(crate) fn definitions(wanted: impl Fn(&str, &str) -> bool) -> Definitions {
    let mut generator: SchemaGenerator = SchemaSettings::openapi3().into_generator();
    let roots = roots! { generator, wanted,
        "" "v1": core {
            Binding ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod
            ReplicationController ResourceQuota
            Secret Service ServiceAccount
        }
        "admissionregistration.k8s.io" "v1": admissionregistration {
            MutatingWebhookConfiguration ValidatingWebhookConfiguration
        }
        "apiextensions.k8s.io" "v1": apiextensions { CustomResourceDefinition }
        "apiregistration.k8s.io" "v1": apiregistration { APIService }
        "apps" "v1": apps { ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet }
        "authentication.k8s.io" "v1": authentication { SelfSubjectReview TokenRequest TokenReview }
        "authorization.k8s.io" "v1": authorization {
            LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview
        }
        "autoscaling" "v1": autoscaling_v1 { HorizontalPodAutoscaler Scale }
        "autoscaling" "v2": autoscaling { HorizontalPodAutoscaler }
        "batch" "v1": batch { CronJob Job }
        "certificates.k8s.io" "v1": certificates { CertificateSigningRequest }
        "coordination.k8s.io" "v1": coordination { Lease }
        "discovery.k8s.io" "v1": discovery { EndpointSlice }
        "events.k8s.io" "v1": events { Event }
        "networking.k8s.io" "v1": networking { Ingress IngressClass NetworkPolicy }
        "policy" "v1": policy { Eviction PodDisruptionBudget }
        "rbac.authorization.k8s.io" "v1": rbac { ClusterRole ClusterRoleBinding Role RoleBinding }
    };
    generator.subschema_for::<meta::DeleteOptions>();
    generator.subschema_for::<meta::ListMeta>();
    generator.subschema_for::<meta::Status>();
    let mut schemas = generator.take_definitions(true);
    schemas.insert(
        PATCH.to_owned(),
        serde_json::json!({ "type": "object", "description": PATCH_IS }),
    );
    Definitions { schemas, roots }
}

/// The name that a schema refers to, directly or through its only `allOf`.
pub(crate) fn reference(schema: &Value) -> Option<&str> {
    let direct = schema.get("$ref").or_else(|| {
        let parts = schema.get("allOf")?.as_array()?;
        parts.first()?.get("$ref")
    });
    direct?.as_str()?.strip_prefix(REFERENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(value: &Value, names: &Map<String, Value>) {
        if let Some(name) = reference(value) {
            assert!(names.contains_key(name), "{name} is missing");
        }
        match value {
            Value::Object(map) => map.values().for_each(|value| walk(value, names)),
            Value::Array(list) => list.iter().for_each(|value| walk(value, names)),
            _ => {}
        }
    }

    #[test]
    fn every_kind_has_a_definition_and_every_reference_leads_somewhere() {
        let definitions = definitions(|_, _| true);
        for kind in crate::all() {
            assert!(
                definitions.roots.iter().any(|(place, _)| *place == kind.place()),
                "{} has no schema",
                kind.kind
            );
        }
        for (_, name) in &definitions.roots {
            assert!(definitions.schemas.contains_key(name), "{name}");
        }
        walk(&Value::Object(definitions.schemas.clone()), &definitions.schemas);
    }
}
