//! Structural schemas: every field has its type outside of alternatives, so that it is known which fields there are.

use serde_json::{Map, Value};

use crate::FieldError;
use crate::custom::{Schema, compile_rule, limits_pattern, prune_default, validate_default};
use crate::validation::path::{Errors, join};
use crate::value::Read as _;

/// Schemas within schemas at most.
const DEPTH: usize = 50;
/// What Kubernetes does not support in schemas.
const UNSUPPORTED: &[&str] = &[
    "id",
    "additionalItems",
    "patternProperties",
    "definitions",
    "dependencies",
    "$ref",
    "$schema",
];
/// What is for structure, and may not stand in alternatives.
const STRUCTURE: &[(&str, &str)] = &[
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("externalDocs", "must be undefined to be structural"),
    (
        "x-kubernetes-preserve-unknown-fields",
        "must be false to be structural",
    ),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// The schema of a version.
pub(super) fn validate(schema: &Value, path: &str, errors: &mut Errors) {
    let mut walk = Walk { errors, depth: 0 };
    walk.schema(schema, path, Level::Root);
    if let Some(metadata) = schema.at(&["properties", "metadata"]) {
        metadata_at_root(metadata, &format!("{path}.properties[metadata]"), errors);
    }
}

/// Of the metadata a schema may restrict the name, and nothing else.
fn metadata_at_root(metadata: &Value, path: &str, errors: &mut Errors) {
    if metadata.text("type") != "object" {
        errors.push(FieldError::invalid(
            &join(path, "type"),
            metadata.text("type"),
            "must be object",
        ));
    }
    let others = metadata
        .as_object()
        .into_iter()
        .flatten()
        .any(|(name, _)| !matches!(name.as_str(), "type" | "properties" | "description"));
    let fields = metadata.map("properties").into_iter().flatten();
    if others
        || fields
            .into_iter()
            .any(|(name, _)| name != "name" && name != "generateName")
    {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::forbidden(path, detail));
    }
}

struct Walk<'a> {
    errors: &'a mut Errors,
    depth: usize,
}

impl Walk<'_> {
    fn forbid(&mut self, path: &str, name: &str, detail: &str) {
        self.errors.push(FieldError::forbidden(&join(path, name), detail));
    }

    fn invalid(&mut self, path: &str, name: &str, schema: &Value, detail: &str) {
        let value = schema.get(name).cloned().unwrap_or_else(|| "".into());
        self.errors
            .push(FieldError::invalid(&join(path, name), value, detail));
    }

    fn schema(&mut self, schema: &Value, path: &str, level: Level) {
        if self.depth == DEPTH {
            self.errors
                .push(FieldError::forbidden(path, "schemas may not be nested so deeply"));
            return;
        }
        self.depth += 1;
        self.unsupported(schema, path);
        self.own_type(schema, path, level);
        self.extensions(schema, path);
        self.values(schema, path, schema);
        self.default(schema, path, level);
        self.rules(schema, path);
        self.below(schema, path, level);
        self.depth -= 1;
    }

    fn unsupported(&mut self, schema: &Value, path: &str) {
        for name in UNSUPPORTED {
            if schema.has(name) {
                self.forbid(path, name, &format!("{name} is not supported"));
            }
        }
        if schema.flag("uniqueItems") {
            self.forbid(
                path,
                "uniqueItems",
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
            );
        }
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            self.forbid(
                path,
                "additionalProperties",
                "additionalProperties cannot be set to false",
            );
        } else if schema.has("additionalProperties")
            && schema.map("properties").is_some_and(|map| !map.is_empty())
        {
            self.forbid(
                path,
                "additionalProperties",
                "additionalProperties and properties are mutual exclusive",
            );
        }
        if schema.get("items").is_some_and(Value::is_array) {
            self.forbid(path, "items", "items must be a schema object and not an array");
        }
    }

    fn own_type(&mut self, schema: &Value, path: &str, level: Level) {
        let kind = schema.text("type");
        let (preserves, int_or_string, embedded) = (
            schema.flag("x-kubernetes-preserve-unknown-fields"),
            schema.flag("x-kubernetes-int-or-string"),
            schema.flag("x-kubernetes-embedded-resource"),
        );
        let mut require = |detail: &str| {
            self.errors
                .push(FieldError::required(&join(path, "type"), detail));
        };
        match kind {
            "" if embedded => require("must be object if x-kubernetes-embedded-resource is true"),
            "" if int_or_string || preserves => {}
            "" => require(match level {
                Level::Root => "must not be empty at the root",
                Level::Item => "must not be empty for specified array items",
                Level::Field => "must not be empty for specified object fields",
            }),
            _ if int_or_string => {
                self.invalid(
                    path,
                    "type",
                    schema,
                    "must be empty if x-kubernetes-int-or-string is true",
                );
            }
            "null" => self.forbid(
                path,
                "type",
                "type cannot be set to null, use nullable as an alternative",
            ),
            "object" => {}
            _ if level == Level::Root => self.invalid(path, "type", schema, "must be object at the root"),
            _ if embedded => {
                self.invalid(
                    path,
                    "type",
                    schema,
                    "must be object if x-kubernetes-embedded-resource is true",
                );
            }
            "array" | "boolean" | "integer" | "number" | "string" => {}
            other => {
                let known = ["array", "boolean", "integer", "number", "object", "string"];
                self.errors
                    .push(FieldError::not_supported(&join(path, "type"), other, &known));
            }
        }
        if kind == "array" && !schema.has("items") {
            self.errors
                .push(FieldError::required(&join(path, "items"), "must be specified"));
        }
        if level == Level::Root && schema.has("additionalProperties") {
            self.forbid(path, "additionalProperties", "must not be used at the root");
        }
    }

    fn extensions(&mut self, schema: &Value, path: &str) {
        const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
        const EMBEDDED: &str = "x-kubernetes-embedded-resource";
        if schema.get(PRESERVE) == Some(&Value::Bool(false)) {
            self.invalid(path, PRESERVE, schema, "must be true or undefined");
        }
        if schema.flag("x-kubernetes-int-or-string") {
            for name in [PRESERVE, EMBEDDED] {
                if schema.flag(name) {
                    self.invalid(
                        path,
                        name,
                        schema,
                        "must be false if x-kubernetes-int-or-string is true",
                    );
                }
            }
        }
        if schema.flag(EMBEDDED) {
            if schema.has("additionalProperties") {
                let detail = "must not be used if x-kubernetes-embedded-resource is set";
                self.forbid(path, "additionalProperties", detail);
            }
            if !schema.flag(PRESERVE) && schema.map("properties").is_none_or(Map::is_empty) {
                let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
                self.errors
                    .push(FieldError::required(&join(path, "properties"), detail));
            }
        }
        self.lists(schema, path);
        let map_type = schema.text("x-kubernetes-map-type");
        if !map_type.is_empty() && !matches!(map_type, "atomic" | "granular") {
            let place = join(path, "x-kubernetes-map-type");
            self.errors.push(FieldError::not_supported(
                &place,
                map_type,
                &["atomic", "granular"],
            ));
        }
    }

    fn lists(&mut self, schema: &Value, path: &str) {
        const LIST: &str = "x-kubernetes-list-type";
        const KEYS: &str = "x-kubernetes-list-map-keys";
        let keys = schema.list(KEYS);
        let list = schema.text(LIST);
        if !list.is_empty() && schema.text("type") != "array" {
            self.invalid(
                path,
                "type",
                schema,
                &format!("must be array if {LIST} is specified"),
            );
        }
        match list {
            "map" => {
                if keys.is_empty() {
                    let detail = format!("must not be empty if {LIST} is map");
                    self.errors.push(FieldError::required(&join(path, KEYS), &detail));
                }
                let fields = schema.at(&["items", "properties"]);
                for (index, key) in keys.iter().enumerate() {
                    let name = key.as_str().unwrap_or_default();
                    let place = format!("{path}.{KEYS}[{index}]");
                    match fields.and_then(|fields| fields.get(name)) {
                        None => {
                            let detail = "entries must all be names of item properties";
                            self.errors.push(FieldError::invalid(&place, name, detail));
                        }
                        Some(field) => self.list_key(schema, field, name, path),
                    }
                }
            }
            "" | "set" | "atomic" => {
                if !keys.is_empty() {
                    let detail = format!("may only be set if {LIST} is map");
                    self.errors
                        .push(FieldError::forbidden(&join(path, KEYS), &detail));
                }
            }
            other => {
                let place = join(path, LIST);
                self.errors.push(FieldError::not_supported(
                    &place,
                    other,
                    &["atomic", "set", "map"],
                ));
            }
        }
    }

    fn list_key(&mut self, schema: &Value, field: &Value, name: &str, path: &str) {
        let place = format!("{path}.items.properties[{name}]");
        if matches!(field.text("type"), "array" | "object") {
            let detail = "must be a scalar type if parent array has type \"map\"";
            self.errors.push(FieldError::invalid(
                &join(&place, "type"),
                field.text("type"),
                detail,
            ));
        }
        let required = schema.at(&["items", "required"]).and_then(Value::as_array);
        if !field.has("default") && !required.is_some_and(|required| required.contains(&name.into())) {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            self.errors
                .push(FieldError::required(&join(&place, "default"), detail));
        }
    }

    /// Patterns and alternatives; what alternatives name must be a part of the structure.
    fn values(&mut self, values: &Value, path: &str, structure: &Value) {
        let text = values.text("pattern");
        if let Err(problem) = limits_pattern(text) {
            let detail = format!("must be a valid regular expression, but isn't: {problem}");
            self.invalid(path, "pattern", values, &detail);
        }
        let is_int_or_string = structure.flag("x-kubernetes-int-or-string");
        for name in ["allOf", "anyOf", "oneOf"] {
            for (index, nested) in values.list(name).iter().enumerate() {
                let types_allowed = is_int_or_string && (name == "anyOf" || name == "allOf");
                self.nested(
                    nested,
                    &format!("{path}.{name}[{index}]"),
                    structure,
                    types_allowed,
                );
            }
        }
        if let Some(not) = values.get("not").filter(|not| not.is_object()) {
            self.nested(not, &join(path, "not"), structure, false);
        }
    }

    fn nested(&mut self, nested: &Value, path: &str, structure: &Value, types_allowed: bool) {
        if self.depth == DEPTH {
            self.errors
                .push(FieldError::forbidden(path, "schemas may not be nested so deeply"));
            return;
        }
        self.depth += 1;
        for (name, detail) in STRUCTURE {
            let allowed = *name == "type" && types_allowed;
            if !allowed
                && nested
                    .get(name)
                    .is_some_and(|value| !value.is_null() && *value != Value::Bool(false))
            {
                self.forbid(path, name, detail);
            }
        }
        self.values(nested, path, structure);
        let open =
            structure.flag("x-kubernetes-preserve-unknown-fields") || structure.has("additionalProperties");
        for (name, field) in nested.map("properties").into_iter().flatten() {
            let place = format!("{path}.properties[{name}]");
            if name == "metadata" {
                self.errors.push(FieldError::forbidden(
                    &place,
                    "must not be specified in a nested context",
                ));
            }
            match structure.at(&["properties", name]) {
                Some(below) => self.nested(field, &place, below, below.flag("x-kubernetes-int-or-string")),
                None if open => {}
                None => {
                    let missing = place_outside(path, &format!("properties[{name}]"));
                    let detail = format!("because it is defined in {place}");
                    self.errors.push(FieldError::required(&missing, &detail));
                }
            }
        }
        if let Some(items) = nested.get("items").filter(|items| items.is_object()) {
            self.nested(
                items,
                &join(path, "items"),
                structure.get("items").unwrap_or(&Value::Null),
                false,
            );
        }
        self.depth -= 1;
    }

    /// A default is a value of its schema.
    fn default(&mut self, schema: &Value, path: &str, level: Level) {
        let Some(default) = schema.get("default").filter(|_| level != Level::Root) else {
            return;
        };
        let compiled = Schema::of(schema);
        let place = join(path, "default");
        if let Some(unknown) = prune_default(&compiled, default) {
            let detail = format!("must not have unknown fields: {unknown}");
            self.errors
                .push(FieldError::invalid(&place, default.clone(), &detail));
        }
        self.errors.extend(validate_default(&compiled, default, &place));
    }

    fn rules(&mut self, schema: &Value, path: &str) {
        const REASONS: &[&str] = &[
            "FieldValueRequired",
            "FieldValueInvalid",
            "FieldValueForbidden",
            "FieldValueDuplicate",
        ];
        for (index, rule) in schema.list("x-kubernetes-validations").iter().enumerate() {
            let place = format!("{path}.x-kubernetes-validations[{index}]");
            if rule.text("rule").trim().is_empty() {
                self.errors.push(FieldError::required(
                    &join(&place, "rule"),
                    "rule is not specified",
                ));
                continue;
            }
            if rule.has("message") && rule.text("message").trim().is_empty() {
                self.invalid(&place, "message", rule, "message must be non-empty if specified");
            } else if rule.text("message").contains('\n') {
                self.invalid(&place, "message", rule, "message must not contain line breaks");
            }
            let reason = rule.text("reason");
            if !reason.is_empty() && !REASONS.contains(&reason) {
                self.errors.push(FieldError::not_supported(
                    &join(&place, "reason"),
                    reason,
                    REASONS,
                ));
            }
            match compile_rule(rule) {
                Err((field, problem)) => {
                    self.invalid(&place, field, rule, &format!("compilation failed: {problem}"));
                }
                Ok(compiled) if rule.flag("optionalOldSelf") && !compiled.is_transition() => {
                    self.invalid(
                        &place,
                        "optionalOldSelf",
                        rule,
                        "may not be set if oldSelf is not used in rule",
                    );
                }
                Ok(_) => {}
            }
        }
    }

    fn below(&mut self, schema: &Value, path: &str, level: Level) {
        for (name, field) in schema.map("properties").into_iter().flatten() {
            if level == Level::Root && name == "metadata" {
                continue;
            }
            self.schema(field, &format!("{path}.properties[{name}]"), Level::Field);
        }
        if let Some(values) = schema
            .get("additionalProperties")
            .filter(|values| values.is_object())
        {
            self.schema(values, &join(path, "additionalProperties"), Level::Field);
        }
        if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
            self.schema(items, &join(path, "items"), Level::Item);
        }
    }
}

/// The place outside of all alternatives that a place within them stands for.
fn place_outside(path: &str, name: &str) -> String {
    let end = ["allOf[", "anyOf[", "oneOf[", "not"]
        .iter()
        .filter_map(|word| path.find(&format!(".{word}")))
        .min()
        .unwrap_or(path.len());
    format!("{}.{name}", &path[..end])
}
