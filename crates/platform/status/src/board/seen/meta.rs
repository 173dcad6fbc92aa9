//! What all objects have.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::Texts;

/// Annotations that repeat whole objects, values of environment variables included.
const REPEATS_OBJECT: [&str; 1] = ["kubectl.kubernetes.io/last-applied-configuration"];

/// Name, age and what else every object says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    pub(crate) created: Option<Timestamp>,
    /// It is on its way out.
    pub(crate) deleting: bool,
    /// Kind and name of what it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    pub(crate) labels: Texts,
    pub(crate) annotations: Texts,
}

impl From<ObjectMeta> for Meta {
    fn from(meta: ObjectMeta) -> Self {
        let annotations = meta.annotations.into_iter().flatten();
        let owner = meta.owner_references.unwrap_or_default().into_iter().next();
        Self {
            name: meta.name.unwrap_or_default(),
            namespace: meta.namespace.unwrap_or_default(),
            created: meta.creation_timestamp.map(|time| time.0),
            deleting: meta.deletion_timestamp.is_some(),
            owner: owner.map(|owner| format!("{}/{}", owner.kind, owner.name)),
            labels: meta.labels.into(),
            annotations: annotations
                .filter(|(key, _)| !REPEATS_OBJECT.contains(&key.as_str()))
                .collect(),
        }
    }
}

impl Meta {
    /// Whether all of these labels are on it; a selector of nothing selects nothing.
    pub(crate) fn is_selected_by(&self, selector: &BTreeMap<String, String>) -> bool {
        !selector.is_empty()
            && selector
                .iter()
                .all(|(key, value)| self.labels.get(key) == Some(value.as_str()))
    }
}
