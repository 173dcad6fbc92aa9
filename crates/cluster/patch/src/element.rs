//! One step of a path through an object, in the form in which managed fields are written: `f:replicas`,
//! `k:{"name":"web"}`, `v:"finalizer"`.
//!
//! An element is kept as its canonical text, so sets of fields are ordinary ordered maps.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// A canonical path element; equal elements have equal texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element(String);

impl Element {
    /// A field of a struct or an entry of a map.
    pub(crate) fn field(name: &str) -> Self {
        Self(format!("f:{name}"))
    }

    /// An item of a list map.
    pub(crate) fn key(keys: &BTreeMap<&str, Value>) -> Self {
        Self(format!("k:{}", text(keys)))
    }

    /// An item of a list set.
    pub(crate) fn value(value: &Value) -> Self {
        Self(format!("v:{value}"))
    }

    /// Reads an element; `None` for what is none.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        let (kind, rest) = raw.split_once(':')?;
        match kind {
            "f" | "i" => Some(Self(raw.to_owned())),
            "k" => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(rest).ok()?;
                Some(Self(format!("k:{}", text(&keys))))
            }
            "v" => serde_json::from_str(rest)
                .ok()
                .map(|value: Value| Self::value(&value)),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, when this is a field.
    pub(crate) fn field_name(&self) -> Option<&str> {
        self.0.strip_prefix("f:")
    }
}

/// JSON objects with string keys can always be written.
fn text<K: serde::Serialize + Ord>(keys: &BTreeMap<K, Value>) -> String {
    serde_json::to_string(keys).unwrap_or_default()
}

/// As in messages of Kubernetes: `.replicas`, `[name="web"]`, `[="finalizer"]`, `[0]`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(2) {
            Some(("f:", name)) => write!(f, ".{name}"),
            Some(("v:", value)) => write!(f, "[={value}]"),
            Some(("k:", keys)) => {
                let keys: BTreeMap<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                write!(f, "[{}]", keys.join(","))
            }
            Some((_, index)) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_in_any_order_and_spacing() {
        let one = Element::parse(r#"k:{"protocol":"TCP","containerPort":80}"#);
        let other = Element::parse(r#"k:{ "containerPort": 80, "protocol": "TCP" }"#);
        assert_eq!(one, other);
        assert_eq!(
            one.map(|e| e.to_string()).as_deref(),
            Some(r#"[containerPort=80,protocol="TCP"]"#)
        );
    }

    #[test]
    fn what_is_no_element_is_refused() {
        for raw in ["", ".", "x:1", "k:1", "k:{", "v:{", "replicas"] {
            assert_eq!(Element::parse(raw), None, "{raw}");
        }
    }
}
