//! What a call knows of its kind: the table of kinds for built-in ones, the definition for those of users.
//!
//! The verbs ask here, so that none of them has to know the difference.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use toolforge_kinds::{CustomKind, FieldError, IncludeObject, Kind, Mistyped, Status, scale};
use toolforge_patch::TypeRef;

use super::Call;
use crate::definitions::{self, Custom};
use crate::store::Key;
use crate::{fail, metadata};

/// The fields that selectors know of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldsOf<'a> {
    kind: &'a Kind,
    custom: Option<&'a CustomKind>,
}

#[cfg(any(test, fuzzing))]
impl<'a> FieldsOf<'a> {
    /// The fields of a built-in kind.
    pub(crate) fn built_in(kind: &'a Kind) -> Self {
        Self { kind, custom: None }
    }
}

impl FieldsOf<'_> {
    /// The value of a field; `None` says that it cannot be selected by.
    pub(crate) fn value(self, object: &Value, field: &str) -> Option<String> {
        match self.custom {
            Some(custom) => custom.field_value(object, field),
            None => toolforge_kinds::field_value(self.kind, object, field),
        }
    }
}

impl Call {
    /// The custom kind, where it is one.
    fn custom(&self) -> Option<&CustomKind> {
        self.custom.as_ref().map(|custom| &*custom.kind)
    }

    /// The fields that selectors know.
    pub(crate) fn fields(&self) -> FieldsOf<'_> {
        FieldsOf {
            kind: self.stored,
            custom: self.custom(),
        }
    }

    /// How patches merge.
    pub(crate) fn merge_type(&self) -> TypeRef<'_> {
        match &self.custom {
            Some(custom) => TypeRef::custom(&custom.merge),
            None => TypeRef::of(self.kind.group, self.kind.version, self.kind.kind),
        }
    }

    /// The kind of lists.
    pub(crate) fn list_kind(&self) -> String {
        self.custom().map_or_else(
            || format!("{}List", self.kind.kind),
            |custom| custom.list_kind.to_owned(),
        )
    }

    /// Checks types, takes unknown fields away and tells which they were.
    pub(crate) fn decode(&self, object: &mut Value) -> Result<Vec<String>, Mistyped> {
        match self.custom() {
            Some(custom) => custom.decode(object),
            None => toolforge_kinds::decode(self.kind, object),
        }
    }

    /// Fills in defaults.
    pub(crate) fn apply_defaults(&self, object: &mut Value) {
        match self.custom() {
            // Webhooks may have added what the schema does not have.
            Some(custom) => *object = custom.present(object.take()),
            None => toolforge_kinds::apply_defaults(self.kind, object),
        }
    }

    /// What is wrong with a new object.
    pub(crate) fn validate_create(&self, object: &Value) -> Vec<FieldError> {
        let mut problems = toolforge_kinds::validate_create(self.kind, object);
        problems.extend(
            self.custom()
                .into_iter()
                .flat_map(|custom| custom.validate(object, None)),
        );
        problems
    }

    /// What is wrong with a change.
    pub(crate) fn validate_update(&self, old: &Value, new: &Value) -> Vec<FieldError> {
        let mut problems = toolforge_kinds::validate_update(self.kind, old, new, self.subresource);
        problems.extend(
            self.custom()
                .into_iter()
                .flat_map(|custom| custom.validate(new, Some(old))),
        );
        problems
    }

    /// A table of objects.
    pub(crate) fn table(&self, objects: &[&Value], include: IncludeObject) -> Value {
        match self.custom() {
            Some(custom) => custom.table(objects, Timestamp::now(), include),
            None => toolforge_kinds::table(self.kind, objects, Timestamp::now(), include),
        }
    }

    /// The `Scale` of an object.
    pub(crate) fn scale_of(&self, object: &Value) -> Option<Value> {
        match self.custom() {
            Some(custom) => custom.scale_of(object),
            None => scale::of(self.kind, object),
        }
    }

    /// The object with the replicas that a `Scale` asks for.
    pub(crate) fn scale_to(&self, object: &Value, wanted: &Value) -> Value {
        match self.custom() {
            Some(custom) => custom.scale_to(object, wanted),
            None => scale::apply(object, wanted),
        }
    }

    /// The revision after which objects are stored as they are shown.
    pub(crate) fn since(&self) -> u64 {
        self.custom.as_ref().map_or(0, |custom| custom.since)
    }

    /// Cancelled when the kind is not served any more, or not as it was.
    pub(crate) fn retired(&self) -> Option<CancellationToken> {
        self.custom.as_ref().map(|custom| custom.retired.clone())
    }

    /// What to tell the client about the version that it uses.
    pub(crate) fn deprecation(&self) -> Option<&str> {
        self.custom()?.deprecation.as_deref()
    }

    /// The definition must be there, must not be going, and must still be so when an object of it is written.
    pub(super) fn definition_guard(&self) -> Result<Option<(Key, u64)>, Status> {
        let Some(custom) = &self.custom else {
            return Ok(None);
        };
        let resource = definitions::resource().ok_or_else(Status::no_such_path)?;
        let key = Key::new(resource, None, &custom.definition);
        let found = self.api.store.get(&key).ok_or_else(Status::no_such_path)?;
        if metadata::is_deleting(&found.value()) {
            return Err(fail::terminating_definition());
        }
        Ok(Some((key, found.revision)))
    }
}

/// The kind that a path names, and what is known of it where a user has defined it.
pub(super) fn find(
    api: &crate::api::Api,
    group: &str,
    version: &str,
    plural: &str,
) -> Option<(&'static Kind, Option<Arc<Custom>>)> {
    if let Some(kind) = toolforge_kinds::by_resource(group, version, plural) {
        return Some((kind, None));
    }
    let custom = api.kinds.by_resource(group, version, plural)?;
    Some((custom.kind.kind, Some(custom)))
}

/// Whether an object is a definition, and not one of somebody's kind with that name.
pub(super) fn is_definition(object: &Value) -> bool {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    text("kind") == "CustomResourceDefinition" && text("apiVersion") == "apiextensions.k8s.io/v1"
}

/// A definition that is deleted waits for its objects.
pub(super) fn mark_definition(object: &mut Value, now: &str) {
    let mut finalizers = metadata::finalizers(object);
    if !finalizers.iter().any(|name| name == definitions::CLEANUP) {
        finalizers.push(definitions::CLEANUP.to_owned());
    }
    if let Some(fields) = metadata::of(object) {
        fields.insert("finalizers".to_owned(), serde_json::json!(finalizers));
    }
    let condition = serde_json::json!({
        "type": "Terminating", "status": "True", "reason": "InstanceDeletionPending", "lastTransitionTime": now,
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    });
    let conditions = object
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    if let Some(conditions) = conditions {
        conditions.retain(|found| found["type"] != "Terminating");
        conditions.push(condition);
    }
}
