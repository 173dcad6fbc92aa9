//! Kinds that users define: what a `CustomResourceDefinition` says, made ready for use.
//!
//! The API server compiles a definition once for each edition and asks the result about objects of the kind: decoding
//! with pruning, defaults, validation, columns, scale, schemas. Kinds by themselves ([`crate::Kind`]) are interned, since
//! everybody holds them by reference for ever; what changes with an edition is in [`CustomKind`].

pub(crate) mod approval;
mod columns;
mod default;
mod definition;
mod embedded;
mod format;
mod intern;
mod json_path;
mod limits;
mod lists;
mod openapi;
mod prune;
mod rules;
mod scale;
mod schema;
mod validate;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::kind::Subresource;
use crate::table::IncludeObject;
use crate::{FieldError, Mistyped};
pub use definition::{CustomKind, Definition, conditions, version_order};
pub use intern::{intern, interned};
pub(crate) use json_path::JsonPath;
pub(crate) use limits::pattern as limits_pattern;
pub use openapi::custom_openapi;
pub(crate) use rules::compile_rule;
pub(crate) use schema::Schema;

impl CustomKind {
    /// Takes away fields that the schema does not have and tells which they were, as `unknown field "spec.foo"`.
    ///
    /// # Errors
    /// 400 where the metadata is not that of an object.
    pub fn decode(&self, object: &mut Value) -> Result<Vec<String>, Mistyped> {
        let mut unknown = embedded::decode_metadata(self.kind, object)?;
        prune::root(&self.schema, object, &mut unknown);
        Ok(unknown)
    }

    /// Fills in the defaults of the schema. Idempotent.
    pub fn apply_defaults(&self, object: &mut Value) {
        default::apply(&self.schema, object);
    }

    /// An object as it was stored under an earlier edition or another version, as this version shows it.
    pub fn present(&self, mut object: Value) -> Value {
        if let Some(map) = object.as_object_mut() {
            map.insert("apiVersion".to_owned(), self.kind.api_version().into());
        }
        prune::root(&self.schema, &mut object, &mut Vec::new());
        default::apply(&self.schema, &mut object);
        object
    }

    /// What the schema and its rules have against an object; empty when nothing.
    pub fn validate(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = validate::root(&self.schema, new, old);
        if errors.is_empty() {
            lists::check(&self.schema, new, old, "", &mut errors);
            embedded::check(&self.schema, new, "", &mut errors);
        }
        if errors.is_empty() {
            errors = rules::check(&self.schema, new, old);
        }
        errors
    }

    /// A `meta.k8s.io/v1 Table` of objects; ages count up to `now`.
    pub fn table(&self, objects: &[&Value], now: Timestamp, include: IncludeObject) -> Value {
        columns::table(&self.columns, objects, now, include)
    }

    /// The value of a field for a field selector; `None` says that it cannot be selected by.
    pub fn field_value(&self, object: &Value, field: &str) -> Option<String> {
        if let known @ Some(_) = crate::field_value(self.kind, object, field) {
            return known;
        }
        let path = self
            .selectable
            .iter()
            .find(|path| path.text().trim_start_matches('.') == field)?;
        Some(match path.first(object) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        })
    }

    /// The `Scale` of an object; `None` where the version has none.
    pub fn scale_of(&self, object: &Value) -> Option<Value> {
        self.kind.has(Subresource::Scale).then_some(())?;
        self.scale.as_ref().map(|paths| scale::of(paths, object))
    }

    /// The object with the number of replicas that a `Scale` asks for.
    pub fn scale_to(&self, object: &Value, wanted: &Value) -> Value {
        let mut object = object.clone();
        if let Some(paths) = &self.scale {
            scale::apply(paths, &mut object, wanted);
        }
        object
    }
}

/// The first field of a default that its schema does not have.
pub(crate) fn prune_default(schema: &Schema, default: &Value) -> Option<String> {
    let mut unknown = Vec::new();
    prune::value(schema, &mut default.clone(), &mut unknown);
    unknown.into_iter().next()
}

/// What a schema has against its own default.
pub(crate) fn validate_default(schema: &Schema, default: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut complete = default.clone();
    default::apply(schema, &mut complete);
    validate::value(schema, &complete, None, path, &mut errors);
    errors
}

/// Names of custom resource definitions as `kubectl` and discovery know them: the parts of `status.acceptedNames`.
pub(crate) fn accepted_names(spec: &Value) -> Value {
    let mut names = spec.get("names").cloned().unwrap_or_else(|| json!({}));
    if let Some(map) = names.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    names
}

/// The object in a field.
fn object<'a>(value: &'a Value, field: &str) -> Option<&'a Map<String, Value>> {
    value.get(field).and_then(Value::as_object)
}

#[cfg(test)]
mod tests;
