//! The paths of an `OpenAPI` document: for every kind its operations, with the extensions that clients look for.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use toolforge_patch::TypeRef;

use crate::definitions::{DELETE_OPTIONS, PATCH, REFERENCE, STATUS};
use crate::kind::{Kind, Subresource};

/// Names of definitions by group, version and kind.
type Roots<'a> = HashMap<(&'a str, &'a str, &'a str), &'a str>;

/// All paths of the kinds of one group version.
pub(crate) fn paths(kinds: &[&Kind], roots: &Roots) -> Map<String, Value> {
    let mut paths = Map::new();
    for kind in kinds {
        let base = if kind.group.is_empty() {
            format!("/api/{}", kind.version)
        } else {
            format!("/apis/{}/{}", kind.group, kind.version)
        };
        let collection = if kind.namespaced {
            format!("{base}/namespaces/{{namespace}}/{}", kind.plural)
        } else {
            format!("{base}/{}", kind.plural)
        };
        let object = format!("{collection}/{{name}}");
        insert(&mut paths, collection, COLLECTION, kind, None, roots);
        insert(&mut paths, object.clone(), OBJECT, kind, None, roots);
        if kind.namespaced && kind.verbs.contains("list") {
            insert(
                &mut paths,
                format!("{base}/{}", kind.plural),
                &COLLECTION[..1],
                kind,
                None,
                roots,
            );
        }
        for subresource in kind.subresources {
            let path = format!("{object}/{}", subresource.name());
            insert(&mut paths, path, PART, kind, Some(*subresource), roots);
        }
    }
    paths
}

/// HTTP method, verb of the API, and action as published.
type Operation = (&'static str, &'static str, &'static str);
const COLLECTION: &[Operation] = &[
    ("get", "list", "list"),
    ("post", "create", "post"),
    ("delete", "deletecollection", "deletecollection"),
];
const OBJECT: &[Operation] = &[
    ("get", "get", "get"),
    ("put", "update", "put"),
    ("patch", "patch", "patch"),
    ("delete", "delete", "delete"),
];
const PART: &[Operation] = &[
    ("get", "get", "get"),
    ("put", "update", "put"),
    ("patch", "patch", "patch"),
    ("post", "create", "post"),
];

/// Media types of answers.
const GIVEN: &[&str] = &["application/json"];
/// Media types of bodies: any of those that hold objects.
const TAKEN: &[&str] = &["*/*"];
/// Media types of patches; `kubectl apply` looks here for what it may send.
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];
/// The same for kinds that come with Kubernetes: only of these the merge keys are known.
const PATCHES_OF_KNOWN: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

fn patches_of(kind: &Kind) -> &'static [&'static str] {
    let known = TypeRef::of(kind.group, kind.version, kind.kind).is_known();
    if known { PATCHES_OF_KNOWN } else { PATCHES }
}

fn insert(
    paths: &mut Map<String, Value>,
    path: String,
    operations: &[Operation],
    kind: &Kind,
    subresource: Option<Subresource>,
    roots: &Roots,
) {
    let verbs = subresource.map_or(kind.verbs, Subresource::verbs);
    let mut item = Map::new();
    for (method, verb, action) in operations {
        if verbs.contains(verb) {
            item.insert(
                (*method).to_owned(),
                operation(&path, verb, action, kind, subresource, roots),
            );
        }
    }
    if item.is_empty() {
        return;
    }
    let parameters: Vec<Value> = ["name", "namespace"]
        .into_iter()
        .filter(|name| path.contains(&format!("{{{name}}}")))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    item.insert("parameters".to_owned(), parameters.into());
    paths.insert(path, Value::Object(item));
}

fn operation(
    path: &str,
    verb: &str,
    action: &str,
    kind: &Kind,
    subresource: Option<Subresource>,
    roots: &Roots,
) -> Value {
    let (group, version, name) = subresource.map_or((kind.group, kind.version, kind.kind), |subresource| {
        subresource.object(kind)
    });
    let scope = if path.contains("{namespace}") {
        "Namespaced"
    } else {
        ""
    };
    let part = subresource.map_or(String::new(), |subresource| capitalised(subresource.name()));
    let mut operation = json!({
        "operationId": format!("{verb}{}{scope}{}{part}", capitalised(kind.version), kind.kind),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": { "group": group, "version": version, "kind": name },
        "parameters": parameters(verb),
        "responses": { "200": { "description": "OK" } },
    });
    let takes = match verb {
        "create" | "update" => roots
            .get(&(group, version, name))
            .copied()
            .map(|definition| (TAKEN, definition)),
        "patch" => Some((patches_of(kind), PATCH)),
        "delete" | "deletecollection" => Some((TAKEN, DELETE_OPTIONS)),
        _ => None,
    };
    if let Some((types, definition)) = takes {
        operation["requestBody"] = json!({ "content": content(types, definition) });
    }
    let gives = match (verb, roots.get(&(group, version, name))) {
        ("delete" | "deletecollection", _) => Some(STATUS.to_owned()),
        ("list", Some(definition)) => Some(format!("{definition}List")),
        (_, Some(definition)) if part != "Log" => Some((*definition).to_owned()),
        _ => None,
    };
    if let Some(definition) = gives {
        operation["responses"]["200"]["content"] = content(GIVEN, &definition);
    }
    operation
}

/// The schema behind each media type.
fn content(types: &[&str], definition: &str) -> Value {
    let schema = json!({ "schema": { "$ref": format!("{REFERENCE}{definition}") } });
    types
        .iter()
        .map(|name| ((*name).to_owned(), schema.clone()))
        .collect::<Map<String, Value>>()
        .into()
}

fn parameters(verb: &str) -> Vec<Value> {
    let names: &[(&str, &str)] = match verb {
        "create" | "update" => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
        ],
        "patch" => &[
            ("dryRun", "string"),
            ("fieldManager", "string"),
            ("fieldValidation", "string"),
            ("force", "boolean"),
        ],
        "delete" => &[
            ("dryRun", "string"),
            ("gracePeriodSeconds", "integer"),
            ("orphanDependents", "boolean"),
            ("propagationPolicy", "string"),
        ],
        "list" | "deletecollection" => &[
            ("allowWatchBookmarks", "boolean"),
            ("continue", "string"),
            ("fieldSelector", "string"),
            ("labelSelector", "string"),
            ("limit", "integer"),
            ("resourceVersion", "string"),
            ("resourceVersionMatch", "string"),
            ("sendInitialEvents", "boolean"),
            ("timeoutSeconds", "integer"),
            ("watch", "boolean"),
        ],
        _ => &[],
    };
    names
        .iter()
        .map(|(name, kind)| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}}))
        .collect()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_ascii_uppercase().to_string() + letters.as_str()
    })
}
