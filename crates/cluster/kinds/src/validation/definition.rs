//! `CustomResourceDefinition`s: names, versions, subresources, columns. Schemas are in `structural`.

mod conversion;
mod structural;

use std::collections::HashSet;

use serde_json::Value;

use super::names;
use super::path::{Errors, IMMUTABLE, each, join, nth, one_of, required};
use crate::FieldError;
use crate::custom::JsonPath;
use crate::custom::approval::{self, APPROVAL, Approval};
use crate::value::{Read as _, equivalent, text_at};

/// Fields that a version offers to field selectors at most.
const SELECTABLE: usize = 8;

/// A definition.
pub(super) fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let expected = format!("{}.{}", text_at(spec, &["names", "plural"]), spec.text("group"));
    let name = text_at(object, &["metadata", "name"]);
    if name != expected {
        errors.push(FieldError::invalid(
            "metadata.name",
            name,
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    if let Some(group) = required(spec, "spec", "group", errors) {
        let problems = names::subdomain(group);
        if !problems.is_empty() {
            errors.push(FieldError::invalid("spec.group", group, &problems.join(",")));
        } else if !group.contains('.') {
            errors.push(FieldError::invalid(
                "spec.group",
                group,
                "should be a domain with at least one dot",
            ));
        }
        approval(object, errors);
    }
    one_of(spec, "spec", "scope", &["Cluster", "Namespaced"], errors);
    versions(spec, errors);
    let names = &spec["names"];
    for field in ["plural", "singular", "kind", "listKind"] {
        required(names, "spec.names", field, errors);
    }
    names_of(names, "spec.names", errors);
    conversion::validate(&spec["conversion"], errors);
    if spec.flag("preserveUnknownFields") {
        let detail = "must be set to false in order to set x-kubernetes-preserve-unknown-fields in schemas";
        errors.push(FieldError::invalid("spec.preserveUnknownFields", true, detail));
    }
}

/// `*.k8s.io` and `*.kubernetes.io` belong to Kubernetes, which wants to be asked.
fn approval(object: &Value, errors: &mut Errors) {
    let path = format!("metadata.annotations[{APPROVAL}]");
    match Approval::of(object) {
        Some(found @ Approval::Missing) => errors.push(FieldError::required(&path, &found.message(object))),
        Some(found @ Approval::Invalid) => {
            let why = found.message(object);
            errors.push(FieldError::invalid(&path, approval::annotation(object), &why));
        }
        Some(Approval::Bypassed | Approval::Approved) | None => {}
    }
}

/// What may not change once a definition is in use.
pub(super) fn validate_update(old: &Value, new: &Value, errors: &mut Errors) {
    let established = old
        .at(&["status", "conditions"])
        .and_then(Value::as_array)
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|found| found["type"] == "Established" && found["status"] == "True")
        });
    let mut fixed: Vec<&[&str]> = vec![&["spec", "group"], &["spec", "names", "plural"]];
    if established {
        fixed.extend([&["spec", "scope"][..], &["spec", "names", "kind"]]);
    }
    for path in fixed {
        if !equivalent(old.at(path), new.at(path)) {
            let value = new.at(path).cloned().unwrap_or_default();
            errors.push(FieldError::invalid(&path.join("."), value, IMMUTABLE));
        }
    }
    let served: Vec<&str> = new["spec"]
        .list("versions")
        .iter()
        .map(|version| version.text("name"))
        .collect();
    for (index, version) in list_at(old, "storedVersions").iter().enumerate() {
        let name = version.as_str().unwrap_or_default();
        if !served.contains(&name) {
            let detail = "must appear in spec.versions";
            errors.push(FieldError::invalid(
                &format!("status.storedVersions[{index}]"),
                name,
                detail,
            ));
        }
    }
}

fn list_at<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object.get("status").map_or(&[], |status| status.list(field))
}

/// What may be written as the status of a definition.
pub(super) fn validate_status(new: &Value, errors: &mut Errors) {
    let versions = new["spec"].list("versions");
    let stored = list_at(new, "storedVersions");
    for (index, name) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version["name"] == *name) {
            let detail = "must appear in spec.versions";
            errors.push(FieldError::invalid(
                &format!("status.storedVersions[{index}]"),
                name.clone(),
                detail,
            ));
        }
    }
    let current = versions.iter().find(|version| version.flag("storage"));
    if let Some(current) = current.filter(|current| !stored.contains(&current["name"])) {
        let detail = format!("must have the storage version {}", current.text("name"));
        errors.push(FieldError::invalid(
            "status.storedVersions",
            stored.to_vec(),
            &detail,
        ));
    }
}

fn versions(spec: &Value, errors: &mut Errors) {
    let list = spec.list("versions");
    let mut seen = HashSet::new();
    for (path, version) in each(spec, "spec", "versions") {
        let name = version.text("name");
        let problems = names::label_1035(name);
        if !problems.is_empty() {
            errors.push(FieldError::invalid(
                &join(&path, "name"),
                name,
                &problems.join(","),
            ));
        }
        if !seen.insert(name) {
            let detail = "must contain unique version names";
            errors.push(FieldError::invalid("spec.versions", list.to_vec(), detail));
        }
        if version.has("deprecationWarning") && !version.flag("deprecated") {
            let detail = "can only be set for deprecated versions";
            errors.push(FieldError::invalid(
                &join(&path, "deprecationWarning"),
                version["deprecationWarning"].clone(),
                detail,
            ));
        }
        match version
            .get("schema")
            .and_then(|schema| schema.get("openAPIV3Schema"))
        {
            Some(schema) if schema.is_object() => {
                structural::validate(schema, &format!("{path}.schema.openAPIV3Schema"), errors);
            }
            _ => errors.push(FieldError::required(
                &format!("{path}.schema.openAPIV3Schema"),
                "schemas are required",
            )),
        }
        subresources(version, &path, errors);
        columns(version, &path, errors);
        selectable(version, &path, errors);
    }
    if list.iter().filter(|version| version.flag("storage")).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", list.to_vec(), detail));
    }
}

fn names_of(names: &Value, path: &str, errors: &mut Errors) {
    let mut check = |path: String, text: &str, mixed: bool| {
        let lower = text.to_lowercase();
        let problems = names::label_1035(if mixed { &lower } else { text });
        if !text.is_empty() && !problems.is_empty() {
            let before = if mixed {
                "may have mixed case, but should otherwise match: "
            } else {
                ""
            };
            errors.push(FieldError::invalid(
                &path,
                text,
                &format!("{before}{}", problems.join(",")),
            ));
        }
    };
    for (field, mixed) in [
        ("plural", false),
        ("singular", false),
        ("kind", true),
        ("listKind", true),
    ] {
        check(join(path, field), names.text(field), mixed);
    }
    for field in ["shortNames", "categories"] {
        for (index, name) in names.list(field).iter().enumerate() {
            check(nth(path, field, index), name.as_str().unwrap_or_default(), false);
        }
    }
    let kind = names.text("kind");
    if !kind.is_empty() && kind == names.text("listKind") {
        errors.push(FieldError::invalid(
            &join(path, "listKind"),
            kind,
            "kind and listKind may not be the same",
        ));
    }
}

fn subresources(version: &Value, path: &str, errors: &mut Errors) {
    let Some(scale) = version
        .get("subresources")
        .and_then(|found| found.get("scale"))
        .filter(|scale| scale.is_object())
    else {
        return;
    };
    let base = format!("{path}.subresources.scale");
    for (field, root) in [("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")] {
        if let Some(text) = required(scale, &base, field, errors) {
            simple_path(text, &join(&base, field), &[root], errors);
        }
    }
    let selector = scale.text("labelSelectorPath");
    if !selector.is_empty() {
        simple_path(
            selector,
            &join(&base, "labelSelectorPath"),
            &[".spec.", ".status."],
            errors,
        );
    }
}

/// A path of names only, below one of the roots.
fn simple_path(text: &str, path: &str, roots: &[&str], errors: &mut Errors) {
    let simple = JsonPath::parse(text)
        .ok()
        .is_some_and(|parsed| parsed.names().is_some());
    if !simple || !text.starts_with('.') {
        errors.push(FieldError::invalid(
            path,
            text,
            "is an invalid json path: only names with dots between them are supported",
        ));
    } else if !roots.iter().any(|root| text.starts_with(root)) {
        let names: Vec<&str> = roots.iter().map(|root| root.trim_end_matches('.')).collect();
        let detail = format!("should be a json path under {}", names.join(" or "));
        errors.push(FieldError::invalid(path, text, &detail));
    }
}

fn columns(version: &Value, path: &str, errors: &mut Errors) {
    const TYPES: &[&str] = &["boolean", "date", "integer", "number", "string"];
    const FORMATS: &[&str] = &[
        "byte",
        "date",
        "date-time",
        "double",
        "float",
        "int32",
        "int64",
        "password",
    ];
    for (path, column) in each(version, path, "additionalPrinterColumns") {
        required(column, &path, "name", errors);
        one_of(column, &path, "type", TYPES, errors);
        super::path::optional_one_of(column, &path, "format", FORMATS, errors);
        let text = column.text("jsonPath");
        if text.is_empty() {
            errors.push(FieldError::required(&join(&path, "jsonPath"), ""));
        } else if let Err(problem) = JsonPath::parse(text) {
            let detail = format!("is an invalid json path: {problem}");
            errors.push(FieldError::invalid(&join(&path, "jsonPath"), text, &detail));
        }
    }
}

fn selectable(version: &Value, path: &str, errors: &mut Errors) {
    let list = version.list("selectableFields");
    if list.len() > SELECTABLE {
        errors.push(FieldError::too_many(
            &join(path, "selectableFields"),
            list.len(),
            SELECTABLE,
        ));
    }
    let schema = version
        .get("schema")
        .and_then(|schema| schema.get("openAPIV3Schema"));
    let mut seen = HashSet::new();
    for (path, field) in each(version, path, "selectableFields") {
        let path = join(&path, "jsonPath");
        let text = field.text("jsonPath");
        if text.is_empty() {
            errors.push(FieldError::required(&path, ""));
            continue;
        }
        if !seen.insert(text) {
            errors.push(FieldError::duplicate(&path, text));
        }
        let parsed = JsonPath::parse(text).ok().filter(|_| text.starts_with('.'));
        let Some(names) = parsed.as_ref().and_then(JsonPath::names) else {
            errors.push(FieldError::invalid(
                &path,
                text,
                "is an invalid path: does not refer to a field",
            ));
            continue;
        };
        if names.first() == Some(&"metadata") {
            errors.push(FieldError::invalid(
                &path,
                text,
                "must not point to fields in metadata",
            ));
            continue;
        }
        let found = names
            .iter()
            .try_fold(schema.unwrap_or(&Value::Null), |schema, name| {
                schema.at(&["properties", name])
            });
        let detail = match found.map(|schema| schema.text("type")) {
            None => "is an invalid path: does not refer to a valid field",
            Some("string" | "boolean" | "integer") => continue,
            Some(_) => {
                "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
            }
        };
        errors.push(FieldError::invalid(&path, text, detail));
    }
}
