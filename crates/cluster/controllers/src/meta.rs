//! The metadata of an object of any kind, as far as a controller reads it. Kept by `others.rs` for every kind whose
//! content nobody here needs, and read from every event of it: what nobody asks for is skipped, not made.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::Resource;
use kube::api::{ApiResource, ObjectMeta};
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer};

/// Who an object is, whose it is, and whether it is going. It is never written back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meta {
    /// What is kept of it.
    pub(crate) metadata: ObjectMeta,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Read,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Read {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
    deletion_timestamp: Option<Time>,
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let read = Object::deserialize(from)?.metadata;
        Ok(Self {
            metadata: ObjectMeta {
                name: read.name,
                namespace: read.namespace,
                uid: read.uid,
                resource_version: read.resource_version,
                labels: read.labels,
                owner_references: read.owner_references,
                finalizers: read.finalizers,
                deletion_timestamp: read.deletion_timestamp,
                ..ObjectMeta::default()
            },
        })
    }
}

impl Resource for Meta {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        kind.kind.as_str().into()
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        kind.group.as_str().into()
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        kind.version.as_str().into()
    }

    fn api_version(kind: &ApiResource) -> Cow<'_, str> {
        kind.api_version.as_str().into()
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        kind.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_decides_is_read_and_the_rest_is_not() {
        let meta: Meta = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"},
            "metadata": {
                "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "labels": {"app": "a"}, "annotations": {"note": "b"}, "finalizers": ["f"],
                "deletionTimestamp": "2026-01-02T03:04:05Z", "managedFields": [{"manager": "m"}],
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "v"}],
            },
        }))
        .expect("an object");
        assert_eq!(
            serde_json::to_value(&meta.metadata).expect("a value"),
            json!({
                "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "labels": {"app": "a"}, "finalizers": ["f"], "deletionTimestamp": "2026-01-02T03:04:05Z",
                "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "v"}],
            })
        );
    }

    #[test]
    fn an_object_without_metadata_is_still_one() {
        let meta: Meta = serde_json::from_value(json!({"kind": "Odd"})).expect("an object");
        assert_eq!(meta.metadata, ObjectMeta::default());
    }
}
