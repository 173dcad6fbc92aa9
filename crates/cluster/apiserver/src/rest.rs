//! The verbs on resources: from a request that is allowed to its answer.

mod answer;
mod approval;
mod change;
mod collection;
mod create;
mod decode;
mod delete;
mod eviction;
mod list;
mod log;
mod options;
mod patch;
mod pods;
mod read;
mod rounds;
mod rules;
mod scale;
mod update;
mod versions;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::USER_AGENT;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use toolforge_chain::Annotations;
use toolforge_kinds::{Kind, Status, Storage, Subresource};

use crate::api::Api;
use crate::authn::{Identified, User};
use crate::authz::reviews;
use crate::definitions::Custom;
use crate::negotiate::{self, Form};
use crate::query::Query;
use crate::request::ResourceInfo;
use crate::store::{Key, Resource};
use crate::{body, connect, fail, respond, tokens, watch};

pub(crate) use answer::{bytes as object_bytes, partial_json, table, value as object_value};
pub(crate) use change::{Edit, change};
pub(crate) use create::{Tracking, create_object};
pub(crate) use decode::posted as decode_posted;
pub(crate) use delete::{Options as DeleteOptions, delete_object};
pub(crate) use list::{CompressedLists, parse_revision};
pub(crate) use pods::admit as admit_posted;
pub(crate) use rules::FieldsOf;

/// Longest name of a field manager in characters.
const MANAGER_LENGTH: usize = 128;

/// One request on a resource.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) api: Arc<Api>,
    pub(crate) user: User,
    /// The kind as the client sees it.
    pub(crate) kind: &'static Kind,
    /// The kind as it is stored.
    pub(crate) stored: &'static Kind,
    /// What is known of the kind, where a user has defined it.
    pub(crate) custom: Option<Arc<Custom>>,
    pub(crate) subresource: Option<Subresource>,
    pub(crate) namespace: Option<String>,
    pub(crate) query: Query,
    pub(crate) form: Form,
    pub(crate) gzip: bool,
    pub(crate) manager: String,
    pub(crate) dry_run: bool,
    /// Whether the API asks itself, and nobody else is to be asked.
    pub(crate) internal: bool,
    /// What is to stand beside the request in the audit log.
    pub(crate) annotations: Annotations,
}

impl Call {
    /// Where the objects of the request are stored.
    pub(crate) fn resource(&self) -> Resource {
        Resource::of(self.kind)
    }

    /// Where one object of the request is stored.
    pub(crate) fn key(&self, name: &str) -> Key {
        Key::new(self.resource(), self.namespace.as_deref(), name)
    }

    /// The same request on the object itself.
    fn without_subresource(&self) -> Self {
        Self {
            subresource: None,
            ..self.clone()
        }
    }
}

/// Answers a request on a resource.
pub(crate) async fn dispatch(
    api: Arc<Api>,
    who: Identified,
    verb: &'static str,
    found: ResourceInfo,
    query: Query,
    request: Request<Body>,
) -> Result<Response, Status> {
    let headers = request.headers();
    let (kind, custom) =
        rules::find(&api, &found.group, &found.version, &found.plural).ok_or_else(Status::no_such_path)?;
    let namespace = if kind.namespaced { found.namespace } else { None };
    if kind.namespaced
        && namespace.is_none()
        && found.name.is_some()
        && matches!(verb, "get" | "update" | "patch" | "delete")
    {
        return Err(Status::no_such_path());
    }
    let subresource = match &found.subresource {
        None => None,
        Some(name) => Some(kind.subresource(name).ok_or_else(|| unknown_subresource(name))?),
    };
    // What passes through is an affair of the other side, and so is what its query and its headers say.
    let passes = subresource.is_some_and(connect::concerns);
    let call = Call {
        user: who.user,
        annotations: who.annotations,
        kind,
        stored: custom.as_ref().map_or_else(
            || toolforge_kinds::storage_kind(kind),
            |custom| custom.kind.stored,
        ),
        custom,
        subresource,
        namespace,
        form: if passes {
            Form::default()
        } else {
            Form::read(headers)?
        },
        gzip: toolforge_serve::takes_gzip(headers),
        manager: manager(&query, headers),
        dry_run: !passes && query.dry_run(),
        internal: false,
        query,
        api,
    };
    let name = found.name.unwrap_or_default();
    if passes {
        return connect::answer(&call, verb, &name, request).await;
    }
    let warning = call.deprecation().map(str::to_owned);
    let (parts, request_body) = request.into_parts();
    let mut response = serve(call, verb, name, &parts.headers, request_body).await?;
    respond::warn(&mut response, warning.as_slice());
    Ok(response)
}

async fn serve(
    call: Call,
    verb: &'static str,
    name: String,
    headers: &HeaderMap,
    request_body: Body,
) -> Result<Response, Status> {
    let media_type = body::media_type(headers);
    options::check_write(
        verb,
        &call.query,
        media_type.starts_with("application/apply-patch"),
    )?;
    if verb == "watch" || verb == "list" {
        if !call.kind.verbs.contains(verb) {
            return Err(Status::method_not_supported(call.kind, verb));
        }
        options::check_list(&call.query, verb == "watch")?;
        if verb == "watch" && negotiate::wants_yaml(headers) {
            return Err(negotiate::not_acceptable());
        }
        return if verb == "watch" {
            watch::answer(&call)
        } else {
            list::answer(&call).await
        };
    }
    let bytes = body::read(request_body).await?;
    if verb == "get" {
        return route(&call, verb, &name, &media_type, &bytes).await;
    }
    // A task of its own: a write that has begun goes to its end also when its client goes away, since the addresses and
    // the quota that it holds must not be given back before it is visible.
    let write = tokio::spawn(async move { route(&call, verb, &name, &media_type, &bytes).await });
    write
        .await
        .unwrap_or_else(|problem| Err(Status::internal(problem)))
}

async fn route(
    call: &Call,
    verb: &str,
    name: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<Response, Status> {
    let Some(subresource) = call.subresource else {
        if !call.kind.verbs.contains(verb) {
            return Err(Status::method_not_supported(call.kind, verb));
        }
        return match verb {
            "create" if call.kind.storage == Storage::Virtual => review(call, media_type, bytes),
            "create" if name.is_empty() => create::answer(call, media_type, bytes).await,
            "get" => read::answer(call, name).await,
            "update" if !name.is_empty() => update::answer(call, name, media_type, bytes).await,
            "patch" if !name.is_empty() => patch::answer(call, name, media_type, bytes).await,
            "delete" => delete::answer(call, name, media_type, bytes).await,
            "deletecollection" => collection::answer(call, media_type, bytes).await,
            _ => Err(Status::method_not_allowed()),
        };
    };
    match (subresource, verb) {
        (Subresource::Scale, "get") => scale::read(call, name).await,
        (Subresource::Scale, "update") => scale::update(call, name, media_type, bytes).await,
        (Subresource::Scale, "patch") => scale::patch(call, name, media_type, bytes).await,
        (Subresource::Log, "get") => log::answer(call, name).await,
        (Subresource::Binding, "create") => pods::bind(call, name, media_type, bytes).await,
        (Subresource::Token, "create") => tokens::issue(call, name, media_type, bytes).await,
        (Subresource::Eviction, "create") => eviction::evict(call, name, media_type, bytes).await,
        (
            Subresource::Status
            | Subresource::Approval
            | Subresource::Finalize
            | Subresource::EphemeralContainers,
            "get",
        ) => read::answer(call, name).await,
        (
            Subresource::Status
            | Subresource::Approval
            | Subresource::Finalize
            | Subresource::EphemeralContainers,
            "update",
        ) => update::answer(call, name, media_type, bytes).await,
        (
            Subresource::Status
            | Subresource::Approval
            | Subresource::Finalize
            | Subresource::EphemeralContainers,
            "patch",
        ) => patch::answer(call, name, media_type, bytes).await,
        _ => Err(Status::method_not_allowed()),
    }
}

/// 501 for what Kubernetes has and we leave out, 404 for what nobody has.
fn unknown_subresource(name: &str) -> Status {
    match name {
        "resize" => fail::not_offered("the subresource resize"),
        _ => Status::no_such_path(),
    }
}

fn review(call: &Call, media_type: &str, bytes: &[u8]) -> Result<Response, Status> {
    let object = decode::body(call, media_type, bytes)?.object;
    if call.kind.kind == "TokenReview" {
        let answered = tokens::review(&call.api.tokens, &call.api.store, object)?;
        return Ok(respond::json(StatusCode::CREATED, &answered));
    }
    let namespace = call.namespace.as_deref();
    let answered = reviews::answer(
        &call.api.access,
        &call.api.store,
        &call.user,
        call.kind,
        namespace,
        object,
    )?;
    Ok(respond::json(StatusCode::CREATED, &answered))
}

/// Who is written down as the manager of fields: what the query says, else the program's name.
fn manager(query: &Query, headers: &HeaderMap) -> String {
    let named = query.get("fieldManager").map(str::to_owned).or_else(|| {
        let agent = headers.get(USER_AGENT)?.to_str().ok()?;
        agent
            .split('/')
            .next()
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    });
    named
        .unwrap_or_else(|| "unknown".to_owned())
        .chars()
        .take(MANAGER_LENGTH)
        .collect()
}

/// The name in an object's metadata must be that of the path.
fn check_name(object: &Value, name: &str) -> Result<(), Status> {
    let found = crate::metadata::text(object, "name");
    if found.is_empty() || found == name {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "the name of the object ({found}) does not match the name on the URL ({name})"
    )))
}
