//! Label selectors: which labels they match.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `LabelSelector` of `meta/v1`. The empty one matches everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LabelSelector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Requirement>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Requirement {
    key: String,
    operator: Operator,
    #[serde(default)]
    values: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Operator {
    /// Whether a value, or its absence, is as the operator demands.
    pub(crate) fn accepts<T: AsRef<str>>(self, value: Option<&str>, values: &[T]) -> bool {
        let named = || value.is_some_and(|value| values.iter().any(|known| known.as_ref() == value));
        match self {
            Self::In => named(),
            Self::NotIn => !named(),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
        }
    }
}

impl LabelSelector {
    /// Whether the selector says nothing, and so matches everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
            && self.match_expressions.as_ref().is_none_or(Vec::is_empty)
    }

    /// Whether the labels of an object match.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| {
            object
                .pointer("/metadata/labels")
                .and_then(|labels| labels.get(key)?.as_str())
        };
        let exact = self
            .match_labels
            .iter()
            .flatten()
            .all(|(key, value)| label(key) == Some(value));
        let expressions = self.match_expressions.iter().flatten();
        exact
            && expressions.into_iter().all(|one| {
                one.operator
                    .accepts(label(&one.key), one.values.as_deref().unwrap_or_default())
            })
    }
}

/// Whether `selector`, as the API has it, selects `object`; none at all selects nothing, and the empty one everything.
pub fn selects(selector: &Value, object: &Value) -> bool {
    let parsed: Option<LabelSelector> = serde_json::from_value(selector.clone()).unwrap_or_default();
    parsed.is_some_and(|selector| selector.matches(object))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_match_as_in_kubernetes() {
        let object = json!({"metadata": {"labels": {"tenancy": "tool", "name": "tool-x"}}});
        for (selector, expected) in [
            (json!({}), true),
            (json!({"matchLabels": null, "matchExpressions": null}), true),
            (json!({"matchLabels": {"tenancy": "tool"}}), true),
            (json!({"matchLabels": {"tenancy": "tool", "missing": ""}}), false),
            (
                json!({"matchExpressions": [{"key": "name", "operator": "In", "values": ["a", "tool-x"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "name", "operator": "NotIn", "values": ["tool-x"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "missing", "operator": "NotIn", "values": ["a"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "missing", "operator": "In", "values": ["a"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "name", "operator": "Exists"}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "name", "operator": "DoesNotExist"}]}),
                false,
            ),
        ] {
            let parsed: LabelSelector = serde_json::from_value(selector.clone()).unwrap();
            assert_eq!(parsed.matches(&object), expected, "{selector}");
        }
    }
}
