//! What this API offers: groups, versions, resources, schemas, and its own version.
//!
//! Everything comes from the table of kinds, and from what other servers say that they offer.

mod openapi;
mod openapi_v2;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use toolforge_kinds::{Kind, Status, Storage};

use crate::aggregation::Described;
use crate::api::Api;
use crate::definitions::Kinds;
use crate::negotiate::Form;
use crate::query::Query;
use crate::respond;

/// The Kubernetes whose types are served, as `k8s-openapi` knows them.
const MAJOR: &str = "1";
const MINOR: &str = "37";

/// The media type of aggregated discovery, which clients compare.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": format!("v{MAJOR}.{MINOR}.0+toolforge.{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("linux/{}", std::env::consts::ARCH),
    })
}

/// All that is offered at one moment.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    kinds: &'a Kinds,
    /// What other servers answer for.
    remotes: Vec<Described>,
}

impl<'a> Offer<'a> {
    /// What this API offers now.
    pub(crate) fn of(api: &'a Api) -> Self {
        Self {
            kinds: &api.kinds,
            remotes: api.aggregation.described(),
        }
    }

    /// Those of a group; of those that do not answer, clients that ask one by one are not told.
    fn answering<'b>(&'b self, group: &'b str) -> impl Iterator<Item = &'b Described> + 'b {
        let remotes = self.remotes.iter();
        remotes.filter(move |remote| remote.available && remote.group == group)
    }
}

/// Answers everything that is no resource.
pub(crate) fn answer(
    offer: &Offer<'_>,
    method: &Method,
    path: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Status> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Status::method_not_allowed());
    }
    let all = offer.kinds.all();
    let all = all.as_slice();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let value = match parts.as_slice() {
        [""] => {
            json!({ "paths": ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"] })
        }
        ["api"] if is_aggregated(headers) => {
            return Ok(aggregated(all, &groups(all, str::is_empty), &[], headers));
        }
        ["apis"] if is_aggregated(headers) => {
            let groups = groups(all, |group| !group.is_empty());
            return Ok(aggregated(all, &groups, &offer.remotes, headers));
        }
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        }),
        ["apis"] => json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": group_list(offer, all),
        }),
        ["apis", group] if has_group(all, group) || offer.answering(group).next().is_some() => {
            let mut value = describe_group(offer, all, group);
            value["kind"] = json!("APIGroup");
            value["apiVersion"] = json!("v1");
            value
        }
        ["api", version] => resources(offer.kinds, all, "", version).ok_or_else(Status::no_such_path)?,
        ["apis", group, version] => {
            resources(offer.kinds, all, group, version).ok_or_else(Status::no_such_path)?
        }
        ["openapi", "v2"] => return Ok(openapi_v2::answer(offer.kinds, headers)),
        ["openapi", "v3"] => openapi::index(offer.kinds, &offer.remotes),
        ["openapi", "v3", rest @ ..] => return openapi::answer(offer.kinds, rest, query, headers),
        _ => return Err(Status::no_such_path()),
    };
    Ok(respond::json(StatusCode::OK, &value))
}

fn is_aggregated(headers: &HeaderMap) -> bool {
    Form::read(headers).is_ok_and(|form| form == Form::GroupDiscovery)
}

fn groups<'a>(all: &[&'static Kind], wanted: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let mut groups: Vec<&str> = Vec::new();
    for kind in all.iter().filter(|kind| wanted(kind.group)) {
        if !groups.contains(&kind.group) {
            groups.push(kind.group);
        }
    }
    groups
}

fn has_group(all: &[&Kind], group: &str) -> bool {
    all.iter().any(|kind| !group.is_empty() && kind.group == group)
}

fn versions(all: &[&'static Kind], group: &str) -> Vec<&'static str> {
    let mut versions: Vec<&str> = Vec::new();
    for kind in all.iter().filter(|kind| kind.group == group) {
        if !versions.contains(&kind.version) {
            versions.push(kind.version);
        }
    }
    versions
}

/// Our own groups, and then those of others.
fn group_list(offer: &Offer<'_>, all: &[&'static Kind]) -> Vec<Value> {
    let mut names = groups(all, |group| !group.is_empty());
    for remote in offer.remotes.iter().filter(|remote| remote.available) {
        if !names.contains(&remote.group.as_str()) {
            names.push(&remote.group);
        }
    }
    let names = names.into_iter();
    names.map(|group| describe_group(offer, all, group)).collect()
}

fn describe_group(offer: &Offer<'_>, all: &[&'static Kind], group: &str) -> Value {
    let own = versions(all, group).into_iter();
    let versions: Vec<Value> = own
        .chain(offer.answering(group).map(|remote| remote.version.as_str()))
        .map(|version| json!({ "groupVersion": format!("{group}/{version}"), "version": version }))
        .collect();
    json!({ "name": group, "preferredVersion": versions.first(), "versions": versions })
}

fn kinds(all: &[&'static Kind], group: &str, version: &str) -> Vec<&'static Kind> {
    all.iter()
        .copied()
        .filter(|kind| kind.group == group && kind.version == version)
        .collect()
}

/// Stands for the version in which objects are stored: the beginning of the SHA-256 of its name, as in Kubernetes.
/// Clients that migrate stored objects compare it.
fn storage_version_hash(offer: &Kinds, kind: &'static Kind) -> String {
    let custom = offer.by_resource(kind.group, kind.version, kind.plural);
    let stored = custom.map_or_else(
        || toolforge_kinds::storage_kind(kind),
        |custom| custom.kind.stored,
    );
    let name = format!("{}/{}/{}", stored.group, stored.version, stored.kind);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    BASE64.encode(&digest.as_ref()[..8])
}

fn resources(offer: &Kinds, all: &[&'static Kind], group: &str, version: &str) -> Option<Value> {
    let kinds = kinds(all, group, version);
    let group_version = kinds.first()?.api_version();
    let mut resources = Vec::new();
    for kind in kinds {
        let mut resource = json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": kind.verbs.names(),
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            resource["categories"] = json!(kind.categories);
        }
        if kind.storage != Storage::Virtual {
            resource["storageVersionHash"] = json!(storage_version_hash(offer, kind));
        }
        resources.push(resource);
        for subresource in kind.subresources.iter().copied() {
            let (group, version, object) = subresource.object(kind);
            let mut resource = json!({
                "name": format!("{}/{}", kind.plural, subresource.name()),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": object,
                "verbs": subresource.verbs().names(),
            });
            if (group, version) != (kind.group, kind.version) {
                resource["group"] = json!(group);
                resource["version"] = json!(version);
            }
            resources.push(resource);
        }
    }
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }))
}

/// All groups in one answer, or 304 for a client that has it.
fn aggregated(
    all: &[&'static Kind],
    groups: &[&str],
    remotes: &[Described],
    headers: &HeaderMap,
) -> Response {
    let mut names: Vec<&str> = groups.to_vec();
    for remote in remotes {
        if !names.contains(&remote.group.as_str()) {
            names.push(&remote.group);
        }
    }
    let items: Vec<Value> = names
        .iter()
        .map(|group| {
            let theirs = remotes.iter().filter(|remote| remote.group == *group);
            let versions: Vec<Value> = versions(all, group)
                .iter()
                .map(|version| {
                    let resources: Vec<Value> = kinds(all, group, version)
                        .into_iter()
                        .map(aggregated_resource)
                        .collect();
                    json!({ "version": version, "resources": resources, "freshness": "Current" })
                })
                .chain(theirs.map(Described::to_version))
                .collect();
            json!({ "metadata": { "name": group, "creationTimestamp": null }, "versions": versions })
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    });
    let list = list.to_string();
    let hash = format!("{:032X}", xxhash_rust::xxh3::xxh3_128(list.as_bytes()));
    if openapi::is_known(headers, &hash) {
        return openapi::not_modified(&hash);
    }
    let mut response = respond::bytes(StatusCode::OK, list);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(AGGREGATED),
    );
    openapi::name(&mut response, &hash);
    response
}

fn aggregated_resource(kind: &'static Kind) -> Value {
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": { "group": kind.group, "version": kind.version, "kind": kind.kind },
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs.names(),
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        resource["categories"] = json!(kind.categories);
    }
    let subresources: Vec<Value> = kind
        .subresources
        .iter()
        .copied()
        .map(|subresource| {
            let (group, version, object) = subresource.object(kind);
            json!({
                "subresource": subresource.name(),
                "responseKind": { "group": group, "version": version, "kind": object },
                "verbs": subresource.verbs().names(),
            })
        })
        .collect();
    if !subresources.is_empty() {
        resource["subresources"] = json!(subresources);
    }
    resource
}
