//! Which objects a label selector selects. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Expression, Selector};

use crate::object::Object;

/// Whether `selector` selects `object`; a selector that does not parse selects nothing.
pub(crate) fn selects(selector: &LabelSelector, object: &impl Object) -> bool {
    Selection::of(selector).selects(object)
}

/// A selector, read once for many objects.
#[derive(Clone, Debug)]
pub(crate) struct Selection(Option<Vec<Expression>>);

impl Selection {
    /// The selection of `selector`; one that does not parse selects nothing.
    pub(crate) fn of(selector: &LabelSelector) -> Self {
        let read = Selector::try_from(selector.clone()).ok();
        Self(read.map(|selector| selector.into_iter().collect()))
    }

    /// Whether it selects `object`.
    pub(crate) fn selects(&self, object: &impl Object) -> bool {
        let all = self.0.as_ref();
        all.is_some_and(|all| all.iter().all(|one| holds(one, object)))
    }
}

fn holds(expression: &Expression, object: &impl Object) -> bool {
    match expression {
        Expression::In(name, values) => object.label(name).is_some_and(|value| values.contains(value)),
        Expression::NotIn(name, values) => object.label(name).is_none_or(|value| !values.contains(value)),
        Expression::Equal(name, value) => object.label(name) == Some(value),
        Expression::NotEqual(name, value) => object.label(name) != Some(value),
        Expression::Exists(name) => object.label(name).is_some(),
        Expression::DoesNotExist(name) => object.label(name).is_none(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_operator_means_what_kubernetes_documents() {
        let object: ConfigMap =
            serde_json::from_value(json!({"metadata": {"labels": {"app": "a", "tier": "web"}}}))
                .expect("an object");
        let one = |key: &str, operator: &str, values: &[&str]| {
            let values = (!values.is_empty()).then_some(values);
            json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
        };
        let cases = [
            (json!({}), true),
            (json!({"matchLabels": {"app": "a"}}), true),
            (json!({"matchLabels": {"app": "a", "tier": "db"}}), false),
            (json!({"matchLabels": {"other": "a"}}), false),
            (one("app", "In", &["a", "b"]), true),
            (one("app", "In", &["b"]), false),
            (one("other", "In", &["b"]), false),
            (one("app", "NotIn", &["a"]), false),
            (one("app", "NotIn", &["b"]), true),
            (one("other", "NotIn", &["b"]), true),
            (one("app", "Exists", &[]), true),
            (one("other", "Exists", &[]), false),
            (one("app", "DoesNotExist", &[]), false),
            (one("other", "DoesNotExist", &[]), true),
            (one("app", "Resembles", &[]), false),
        ];
        for (selector, expected) in cases {
            let read: LabelSelector = serde_json::from_value(Value::clone(&selector)).expect("a selector");
            assert_eq!(selects(&read, &object), expected, "{selector}");
        }
    }
}
