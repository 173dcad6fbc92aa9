//! What a turn has to know of a namespace before it looks at what is in it.
//!
//! Pure. Read from the text that the cache keeps, without a tree of it all: each account's turn asks for it.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::withdrawn;

/// A namespace, as far as a turn has to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamespaceState {
    /// Its identity, which another of the same name does not have.
    pub(crate) uid: Option<String>,
    /// Whether it is being removed.
    pub(crate) is_leaving: bool,
    /// Whether it says anything about a withdrawal, readable or not.
    pub(crate) is_withdrawn: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    uid: Option<String>,
    deletion_timestamp: Option<IgnoredAny>,
    annotations: Option<Map<String, Value>>,
}

impl NamespaceState {
    /// Of an object's text.
    pub(crate) fn read(text: &str) -> Self {
        // The cache has written it.
        let Object { metadata } = serde_json::from_str(text).unwrap_or_default();
        Self {
            uid: metadata.uid,
            is_leaving: metadata.deletion_timestamp.is_some(),
            is_withdrawn: metadata
                .annotations
                .is_some_and(|annotations| annotations.keys().any(|name| withdrawn::is_about(name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_says_who_it_is_whether_it_goes_and_whether_it_is_withdrawn() {
        let plain =
            json!({ "metadata": { "name": "tool-alpha", "uid": "u-1", "annotations": { "other": "x" } } });
        let expected = NamespaceState {
            uid: Some("u-1".to_owned()),
            ..NamespaceState::default()
        };
        assert_eq!(NamespaceState::read(&plain.to_string()), expected);
        let mut leaving = plain.clone();
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-27T01:00:00Z");
        assert!(NamespaceState::read(&leaving.to_string()).is_leaving);
        for said in [withdrawn::REASON, withdrawn::SINCE, withdrawn::ARCHIVE] {
            let mut withdrawn = plain.clone();
            withdrawn["metadata"]["annotations"][said] = json!("anything");
            assert!(
                NamespaceState::read(&withdrawn.to_string()).is_withdrawn,
                "{said}"
            );
        }
    }
}
