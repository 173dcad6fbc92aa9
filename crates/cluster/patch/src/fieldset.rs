//! Sets of fields of an object, as managers own them, and their written form (`fieldsV1`).
//!
//! A set is a tree: each element may itself be a member, and may have elements below it. Which type a field has does
//! not matter here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::element::Element;

/// A set of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    entries: BTreeMap<Element, Entry>,
}

/// What is known of one element: whether it is in the set itself, and what below it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) member: bool,
    pub(crate) below: FieldSet,
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn get(&self, element: &Element) -> Option<&Entry> {
        self.entries.get(element)
    }

    /// Adds an element; does nothing when it is neither a member nor has anything below.
    pub(crate) fn insert(&mut self, element: Element, entry: Entry) {
        if entry.member || !entry.below.is_empty() {
            let known = self.entries.entry(element).or_default();
            known.member |= entry.member;
            known.below.unite(entry.below);
        }
    }

    /// Takes an element out, with all below it.
    pub(crate) fn remove_with_all_below(&mut self, path: &[&str]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let element = Element::field(first);
        if rest.is_empty() {
            self.entries.remove(&element);
        } else if let Some(entry) = self.entries.get_mut(&element) {
            entry.below.remove_with_all_below(rest);
            if !entry.member && entry.below.is_empty() {
                self.entries.remove(&element);
            }
        }
    }

    /// Takes one element out and leaves what is below it.
    pub(crate) fn remove_member(&mut self, name: &str) {
        let element = Element::field(name);
        if let Some(entry) = self.entries.get_mut(&element) {
            entry.member = false;
            if entry.below.is_empty() {
                self.entries.remove(&element);
            }
        }
    }

    /// Adds all members of another set.
    pub(crate) fn unite(&mut self, other: Self) {
        for (element, entry) in other.entries {
            self.insert(element, entry);
        }
    }

    /// The members that are in both sets.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |here, there| here && there)
    }

    /// The members that are not in the other set.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(other, |here, there| here && !there)
    }

    fn combine(&self, other: &Self, keep: fn(bool, bool) -> bool) -> Self {
        let nothing = Entry::default();
        let mut combined = Self::default();
        for (element, entry) in &self.entries {
            let there = other.entries.get(element).unwrap_or(&nothing);
            let member = keep(entry.member, there.member);
            let below = entry.below.combine(&there.below, keep);
            combined.insert(element.clone(), Entry { member, below });
        }
        combined
    }

    /// The paths of all members, each as Kubernetes prints it: `.spec.containers[name="web"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        for (element, entry) in &self.entries {
            let path = format!("{prefix}{element}");
            entry.below.collect_paths(&path, paths);
            if entry.member {
                paths.push(path);
            }
        }
    }

    /// The written form.
    pub(crate) fn to_fields_v1(&self) -> Value {
        let mut fields = Map::new();
        for (element, entry) in &self.entries {
            let mut below = match entry.below.to_fields_v1() {
                Value::Object(below) => below,
                _ => Map::new(),
            };
            if entry.member && !below.is_empty() {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(element.as_str().to_owned(), Value::Object(below));
        }
        Value::Object(fields)
    }

    /// Reads the written form; `None` when it is not one.
    pub(crate) fn from_fields_v1(fields: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (key, value) in fields.as_object()? {
            if key == "." {
                continue;
            }
            let below = Self::from_fields_v1(value)?;
            let member = below.is_empty() || value.get(".").is_some();
            set.insert(Element::parse(key)?, Entry { member, below });
        }
        Some(set)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}, "f:finalizers": {"v:\"keep\"": {}}},
            "f:spec": {"f:replicas": {}, "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}},
        })
    }

    #[test]
    fn the_written_form_survives_a_round_trip() {
        let set = FieldSet::from_fields_v1(&sample()).unwrap();
        assert_eq!(set.to_fields_v1(), sample());
        assert_eq!(
            set.paths(),
            [
                ".metadata.finalizers[=\"keep\"]",
                ".metadata.labels.app",
                ".metadata.labels",
                ".spec.containers[name=\"web\"].image",
                ".spec.containers[name=\"web\"]",
                ".spec.replicas",
            ]
        );
    }

    #[test]
    fn a_set_without_itself_is_empty() {
        let set = FieldSet::from_fields_v1(&sample()).unwrap();
        assert!(set.difference(&set).is_empty());
        assert_eq!(set.intersection(&set), set);
    }

    #[test]
    fn garbage_is_no_set() {
        for garbage in [
            json!(1),
            json!({"replicas": {}}),
            json!({"f:a": 1}),
            json!({"k:{": {}}),
        ] {
            assert_eq!(FieldSet::from_fields_v1(&garbage), None, "{garbage}");
        }
    }
}
