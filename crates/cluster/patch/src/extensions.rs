//! The facts about types as published schemas tell them: the `x-kubernetes-*` extensions of `OpenAPI`.
//!
//! The documents under `/openapi` are made with it, so that clients merge lists as the API does.

use serde_json::{Map, Value, json};

use crate::facts::{Key, ListType, Strategy, published};

/// What is to be said of a type and of its fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TypeExtensions {
    /// Of the type itself.
    pub own: Map<String, Value>,
    /// Of each field that there is something to say about, by name.
    pub fields: Vec<(&'static str, FieldExtensions)>,
}

/// What is to be said of a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FieldExtensions {
    /// The extensions, such as `x-kubernetes-list-type`.
    pub extensions: Map<String, Value>,
    /// Defaults of fields of the items, which tell items apart also where they are left out.
    pub item_defaults: Vec<(&'static str, &'static str)>,
}

/// The extensions of a published definition, such as `io.k8s.api.core.v1.PodSpec`; nothing for one without facts.
pub fn extensions(definition: &str) -> TypeExtensions {
    let Some(of) = published(&short(definition)) else {
        return TypeExtensions::default();
    };
    let mut own = Map::new();
    if of.is_atomic() {
        own.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
    }
    let mut fields: Vec<(&'static str, FieldExtensions)> = of
        .fields()
        .map(|(name, field)| {
            let said = FieldExtensions {
                extensions: told(field.atomic(), field.list_type(), field.keys(), field.strategy()),
                item_defaults: defaults(field.keys()),
            };
            (name, said)
        })
        .filter(|(_, said)| !said.extensions.is_empty())
        .collect();
    fields.sort_by_key(|(name, _)| *name);
    TypeExtensions { own, fields }
}

/// The last three parts name a type well enough, as in the table.
fn short(definition: &str) -> String {
    let parts: Vec<&str> = definition.split('.').collect();
    parts[parts.len().saturating_sub(3)..].join(".")
}

fn told(atomic: Option<bool>, list: ListType, keys: &[Key], strategy: Strategy) -> Map<String, Value> {
    let mut said = Map::new();
    let mut say = |name: &str, value: Value| said.insert(format!("x-kubernetes-{name}"), value);
    match atomic {
        Some(true) => drop(say("map-type", json!("atomic"))),
        Some(false) => drop(say("map-type", json!("granular"))),
        None => {}
    }
    match list {
        ListType::Atomic => {}
        ListType::Set => drop(say("list-type", json!("set"))),
        ListType::Map => {
            say("list-type", json!("map"));
            let names: Vec<&str> = keys.iter().map(|key| &*key.name).collect();
            say("list-map-keys", json!(names));
        }
    }
    match strategy {
        Strategy::Default => {}
        Strategy::Replace => drop(say("patch-strategy", json!("replace"))),
        Strategy::MergeScalars => drop(say("patch-strategy", json!("merge"))),
        Strategy::MergeBy(key) => {
            say("patch-strategy", json!("merge"));
            say("patch-merge-key", json!(key));
        }
    }
    said
}

fn defaults(keys: &'static [Key]) -> Vec<(&'static str, &'static str)> {
    keys.iter()
        .filter_map(|key| Some((&*key.name, key.default.as_ref()?.as_str()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(definition: &str, name: &str) -> FieldExtensions {
        let found = extensions(definition);
        let field = found.fields.into_iter().find(|(field, _)| *field == name);
        field.map(|(_, said)| said).unwrap_or_default()
    }

    #[test]
    fn tells_list_types_and_merge_keys() {
        let containers = field("io.k8s.api.core.v1.PodSpec", "containers");
        assert_eq!(
            Value::Object(containers.extensions),
            json!({
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name",
            })
        );
        let ports = field("io.k8s.api.core.v1.Container", "ports");
        assert_eq!(ports.item_defaults, [("protocol", "TCP")]);
        let finalizers = field("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers");
        assert_eq!(finalizers.extensions["x-kubernetes-list-type"], "set");
        let selector = extensions("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector");
        assert_eq!(selector.own["x-kubernetes-map-type"], "atomic");
        assert_eq!(
            extensions("io.k8s.api.core.v1.Nothing"),
            TypeExtensions::default()
        );
    }
}
