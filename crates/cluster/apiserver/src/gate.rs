//! The way in: who asks, may they, and where the request goes from here.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use toolforge_kinds::Status;

use crate::api::Api;
use crate::authn::{self, AUTHENTICATED, UNAUTHENTICATED, User};
use crate::authz::Attributes;
use crate::query::Query;
use crate::request::{RequestInfo, ResourceInfo};
use crate::{backup, discovery, respond, rest};

/// Answers one request.
pub(crate) async fn handle(State(api): State<Arc<Api>>, request: Request<Body>) -> Response {
    let head = request.method() == Method::HEAD;
    let pretty = request
        .uri()
        .query()
        .is_some_and(|query| Query::parse(query).is_true("pretty"));
    let mut response = match serve(api, request).await {
        Ok(response) => response,
        Err(status) => respond::refusal(&status),
    };
    if pretty {
        response = respond::pretty(response).await;
    }
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

/// What is told to whom uses a resource that has a successor.
fn deprecation(found: &ResourceInfo) -> Option<String> {
    let is_endpoints = found.group.is_empty() && found.plural == "endpoints";
    is_endpoints
        .then(|| "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned())
}

async fn serve(api: Arc<Api>, request: Request<Body>) -> Result<Response, Status> {
    let (parts, body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let path = percent_decode_str(parts.uri.path())
        .decode_utf8()
        .map_err(|_| Status::bad_request("the path is not UTF-8"))?
        .into_owned();
    let info = RequestInfo::read(&parts.method, &path, &query);
    if matches!(parts.method, Method::GET | Method::HEAD)
        && let Some(response) = public(&api, &path, &query)
    {
        return Ok(response);
    }
    let identified = authn::authenticate(&parts.extensions, &parts.headers, &api.tokens, &api.store);
    let identified = identified.ok_or_else(Status::unauthorized)?;
    if let Some(seconds) = identified.stale_seconds {
        tracing::debug!(
            user = identified.user.name,
            seconds,
            "a token is used beyond its time"
        );
    }
    let user = identified.user;
    if user.is_anonymous() {
        return Err(Status::unauthorized());
    }
    let user = impersonate(&api, user, &parts.headers)?;
    let attributes = Attributes::of(&info);
    api.access.require(&user, &attributes, &api.store)?;
    match info.resource {
        None if path == backup::PATH => backup::answer(&api, &parts.method),
        None => match api.tokens.discover(&path) {
            Some(response) if matches!(parts.method, Method::GET | Method::HEAD) => Ok(response),
            _ => discovery::answer(&api.kinds, &parts.method, &path, &query, &parts.headers),
        },
        Some(found) => {
            let old = deprecation(&found);
            let request = Request::from_parts(parts, body);
            let mut response = rest::dispatch(api, user, info.verb, found, query, request).await?;
            respond::warn(&mut response, old.as_slice());
            Ok(response)
        }
    }
}

/// What everybody may know: health and version.
fn public(api: &Api, path: &str, query: &Query) -> Option<Response> {
    let path = path.trim_end_matches('/');
    match path {
        "/version" => return Some(respond::json(StatusCode::OK, &discovery::version())),
        "/healthz" | "/livez" | "/readyz" | "/healthz/ping" | "/livez/ping" | "/readyz/ping" => {}
        _ => return None,
    }
    if path.starts_with("/readyz") && api.closing.is_cancelled() {
        return Some(respond::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "[-]shutdown failed\nreadyz check failed\n",
        ));
    }
    if query.is_true("verbose") {
        let name = path.trim_start_matches('/');
        return Some(respond::text(
            StatusCode::OK,
            format!("[+]ping ok\n[+]store ok\n{name} check passed\n"),
        ));
    }
    Some(respond::text(StatusCode::OK, "ok"))
}

/// The identity that an `Impersonate-*` request is made as, when its author may.
fn impersonate(api: &Api, user: User, headers: &HeaderMap) -> Result<User, Status> {
    let values = |name: &str| -> Vec<String> {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect()
    };
    let extra: Vec<(String, Vec<String>)> = headers
        .keys()
        .filter_map(|name| {
            let key = name.as_str().strip_prefix("impersonate-extra-")?;
            let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
            Some((key, values(name.as_str())))
        })
        .collect();
    let groups = values("impersonate-group");
    let uid = values("impersonate-uid").into_iter().next().unwrap_or_default();
    let Some(name) = values("impersonate-user").into_iter().next() else {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(user);
        }
        return Err(Status::bad_request(
            "requested impersonation of groups, uid or extra without impersonating a user",
        ));
    };
    let require = |group: &str, resource: &str, subresource: &str, namespace: &str, name: &str| {
        let wanted = Attributes {
            verb: "impersonate".to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        api.access.require(&user, &wanted, &api.store)
    };
    let mut found = User {
        name: name.clone(),
        uid: uid.clone(),
        groups: groups.clone(),
        extra: extra.clone(),
    };
    match name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
    {
        Some((namespace, account)) => {
            require("", "serviceaccounts", "", namespace, account)?;
            if groups.is_empty() {
                found.groups = vec![
                    "system:serviceaccounts".to_owned(),
                    format!("system:serviceaccounts:{namespace}"),
                ];
            }
        }
        None => require("", "users", "", "", &name)?,
    }
    for group in &groups {
        require("", "groups", "", "", group)?;
    }
    if !uid.is_empty() {
        require("authentication.k8s.io", "uids", "", "", &uid)?;
    }
    for (key, values) in &extra {
        for value in values {
            require("authentication.k8s.io", "userextras", key, "", value)?;
        }
    }
    let everybody = if found.is_anonymous() {
        UNAUTHENTICATED
    } else {
        AUTHENTICATED
    };
    if !found.is_in(everybody) {
        found.groups.push(everybody.to_owned());
    }
    tracing::debug!(user = user.name, as_user = found.name, "impersonation");
    Ok(found)
}
