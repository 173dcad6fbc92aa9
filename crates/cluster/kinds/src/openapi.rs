//! `OpenAPI` v3 documents, one for each group version, made when first asked for. The API server serves them;
//! `kubectl explain` and clients' validation read them.

pub(crate) mod paths;
mod publish;
mod v2;

pub use v2::openapi_v2;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use crate::definitions::definitions;
use crate::kind::{Kind, group_version};
use crate::registry::all;

/// The index of documents, each with a hash in its address that changes with its content.
pub fn openapi_v3_index() -> Value {
    let paths: Map<String, Value> = group_versions()
        .into_iter()
        .map(|name| {
            let path = path_of(&name);
            let address = json!({ "serverRelativeURL": format!("/openapi/v3/{path}?hash={}", hash(&name)) });
            (path, address)
        })
        .collect();
    json!({ "paths": paths })
}

/// The document of a group version, such as `apps/v1` or `v1`, as JSON.
pub fn openapi_v3(group_version: &str) -> Option<&'static [u8]> {
    static DOCUMENTS: OnceLock<HashMap<String, OnceLock<Vec<u8>>>> = OnceLock::new();
    let documents = DOCUMENTS.get_or_init(|| {
        group_versions()
            .into_iter()
            .map(|name| (name, OnceLock::new()))
            .collect()
    });
    let document = documents.get(group_version)?;
    Some(document.get_or_init(|| build(group_version).to_string().into_bytes()))
}

fn group_versions() -> Vec<String> {
    let mut names: Vec<String> = all()
        .iter()
        .map(|kind| group_version(kind.group, kind.version))
        .collect();
    names.dedup();
    names
}

fn path_of(name: &str) -> String {
    if name.contains('/') {
        format!("apis/{name}")
    } else {
        format!("api/{name}")
    }
}

/// The hash of the document of a group version; of all of them when the name is empty.
pub fn openapi_hash(group_version: &str) -> String {
    hash(group_version)
}

/// The content depends on nothing but the release of this program and its table of kinds, so these stand for it.
fn hash(name: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (name, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    for kind in all() {
        (kind.group, kind.kind, kind.verbs.names(), kind.subresources).hash(&mut hasher);
    }
    format!("{:016X}", hasher.finish())
}

fn build(name: &str) -> Value {
    let (schemas, paths) = build_parts(name);
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// The schemas and the paths of a group version.
fn build_parts(name: &str) -> (Map<String, Value>, Map<String, Value>) {
    let kinds: Vec<_> = all().iter().filter(|kind| kind.api_version() == name).collect();
    let groups: HashSet<(&str, &str)> = kinds.iter().flat_map(|kind| groups_of(kind)).collect();
    let mut definitions = definitions(|group, version| groups.contains(&(group, version)));
    publish::publish(&mut definitions, &kinds);
    let roots: HashMap<(&str, &str, &str), &str> = definitions
        .roots
        .iter()
        .map(|(place, name)| (*place, name.as_str()))
        .collect();
    let paths = paths::paths(&kinds, &roots);
    (definitions.schemas, paths)
}

/// The groups and versions whose objects go in and out through a kind: its own, and those of subresources such as `Scale`.
fn groups_of(kind: &Kind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let through = kind.subresources.iter().map(|subresource| {
        let (group, version, _) = subresource.object(kind);
        (group, version)
    });
    std::iter::once((kind.group, kind.version)).chain(through)
}

#[cfg(test)]
mod tests;
