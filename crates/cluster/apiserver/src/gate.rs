//! The way in: who asks, may they, and where the request goes from here.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::ACCEPT_ENCODING;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Body as _;
use percent_encoding::percent_decode_str;
use toolforge_kinds::Status;
use toolforge_serve::Peer;

use crate::api::Api;
use crate::audit::{Asked, Audited};
use crate::authn::{self, AUTHENTICATED, Identified, UNAUTHENTICATED, User};
use crate::authz::{Attributes, refusal};
use crate::metrics::Subject;
use crate::query::Query;
use crate::request::{RequestInfo, ResourceInfo};
use crate::{aggregation, backup, body, discovery, held, negotiate, respond, rest};

/// Answers one request.
pub(crate) async fn handle(State(api): State<Arc<Api>>, mut request: Request<Body>) -> Response {
    let begun = Instant::now();
    let yaml = negotiate::wants_yaml(request.headers());
    if yaml {
        // It is made of the whole answer.
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    let head = request.method() == Method::HEAD;
    let pretty = request
        .uri()
        .query()
        .is_some_and(|query| Query::parse(query).is_true("pretty"));
    let mut seen = Seen::default();
    let running = api.metrics.begun(request.method().is_safe());
    let answered = serve(&api, request, &mut seen).await;
    drop(running);
    let is_known = !matches!(&answered, Err(status) if status.code == 404 && status.is_about_no_object());
    let mut response = answered.unwrap_or_else(|status| respond::refusal(&status));
    if let Some(audited) = seen.audited {
        response = audited.finish(response).await;
    }
    if let Some(subject) = seen.subject {
        let subject = if is_known { subject } else { subject.unknown() };
        let is_stream = response.body().size_hint().exact().is_none();
        let code = response.status().as_u16();
        if let Some(running) = api.metrics.answered(subject, code, begun.elapsed(), is_stream) {
            response = response.map(|inner| held::until_end(inner, running));
        }
    }
    if yaml {
        response = respond::yaml(response).await;
    } else if pretty {
        response = respond::pretty(response).await;
    }
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

/// What is learned about a request on its way, for those who keep books.
#[derive(Debug, Default)]
struct Seen {
    subject: Option<Subject>,
    audited: Option<Audited>,
}

async fn serve(api: &Arc<Api>, request: Request<Body>, seen: &mut Seen) -> Result<Response, Status> {
    let (parts, mut body) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let path = percent_decode_str(parts.uri.path())
        .decode_utf8()
        .map_err(|_| Status::bad_request("the path is not UTF-8"))?
        .into_owned();
    let info = RequestInfo::read(&parts.method, &path, &query);
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    if reads && let Some(response) = public(api, &path, &query) {
        return Ok(response);
    }
    seen.subject = Some(Subject::of(&info));
    let attributes = Attributes::of(&info);
    let (who, asker) = match identify(api, &parts) {
        Ok(found) => found,
        Err(status) => {
            let nobody = User::anonymous().into();
            seen.audited = audit(api, &parts, &attributes, &nobody, &nobody.user).await;
            return Err(status);
        }
    };
    seen.audited = audit(api, &parts, &attributes, &who, &asker).await;
    let decision = api.access.decide(&who.user, &attributes, &api.store);
    if let Some(audited) = &seen.audited {
        audited.decided(decision.is_allowed(), decision.reason());
    }
    if !decision.is_allowed() {
        return Err(refusal(&who.user, &attributes));
    }
    if let Some(audited) = seen.audited.as_mut().filter(|audited| audited.wants_body()) {
        let bytes = body::read(body).await?;
        audited.request_body(&body::media_type(&parts.headers), &bytes);
        body = Body::from(bytes);
    }
    if let Some(remote) = aggregation::responsible(api, &path) {
        // What others may be asked for has no end, and what is counted has one.
        let named = info.resource.as_ref();
        if !named.is_none_or(|found| remote.offers(&found.plural)) {
            seen.subject = seen.subject.take().map(Subject::unknown);
        }
        let named = info.resource.as_ref();
        let long = named.is_some_and(|found| stays_open(info.verb, found))
            || toolforge_streams::is_upgrade(&parts.headers);
        let held = long
            .then(|| api.access.hold(&who.user, &attributes, &api.closing))
            .flatten();
        let mut request = Request::from_parts(parts, body);
        // What becomes a connection ends by itself; a body is ended here.
        if let Some(held) = &held {
            request.extensions_mut().insert(held.clone());
        }
        let response = aggregation::pass(api, &remote, &who.user, request).await?;
        return Ok(match held {
            Some(held) => response.map(|inner| held::while_allowed(inner, held)),
            None => response,
        });
    }
    match info.resource {
        None if path == backup::PATH => backup::answer(api, &parts.method),
        None if reads && path.trim_end_matches('/') == "/metrics" => Ok(api.metrics.answer()),
        None => match api.tokens.discover(&path) {
            Some(response) if reads => Ok(response),
            _ => {
                let offer = discovery::Offer::of(api);
                discovery::answer(&offer, &parts.method, &path, &query, &parts.headers)
            }
        },
        Some(found) => {
            let old = deprecation(&found);
            let held = stays_open(info.verb, &found)
                .then(|| api.access.hold(&who.user, &attributes, &api.closing))
                .flatten();
            let mut request = Request::from_parts(parts, body);
            // What becomes a connection ends by itself; a body is ended here.
            if let Some(held) = &held {
                request.extensions_mut().insert(held.clone());
            }
            let mut response = rest::dispatch(api.clone(), who, info.verb, found, query, request).await?;
            respond::warn(&mut response, old.as_slice());
            Ok(match held {
                Some(held) => response.map(|inner| held::while_allowed(inner, held)),
                None => response,
            })
        }
    }
}

/// Whether an answer may go on for long after it was allowed.
fn stays_open(verb: &str, found: &ResourceInfo) -> bool {
    let subresource = found.subresource.as_deref();
    verb == "watch"
        || matches!(
            subresource,
            Some("exec" | "attach" | "portforward" | "proxy" | "log")
        )
}

/// What is told to whom uses a resource that has a successor.
fn deprecation(found: &ResourceInfo) -> Option<String> {
    let is_endpoints = found.group.is_empty() && found.plural == "endpoints";
    is_endpoints
        .then(|| "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned())
}

/// As whom a request is made, and who makes it: the same, but for impersonation.
fn identify(api: &Api, parts: &Parts) -> Result<(Identified, User), Status> {
    let identified = authn::authenticate(&parts.extensions, &parts.headers, &api.tokens, &api.store);
    let mut who = identified.ok_or_else(Status::unauthorized)?;
    if who.user.is_anonymous() {
        return Err(Status::unauthorized());
    }
    let asker = who.user.clone();
    who.user = impersonate(api, who.user, &parts.headers)?;
    Ok((who, asker))
}

/// Begins with a request in the audit log, where there is one.
async fn audit(
    api: &Api,
    parts: &Parts,
    wanted: &Attributes,
    who: &Identified,
    asker: &User,
) -> Option<Audited> {
    let log = api.audit.get()?;
    if let Some(seconds) = who.stale_seconds {
        let told = format!(
            "subject: {}, seconds after warning threshold: {seconds}",
            asker.name
        );
        who.annotations.add("authentication.k8s.io/stale-token", told);
    }
    let request = Asked {
        user: asker,
        impersonated: Some(&who.user).filter(|user| *user != asker),
        wanted,
        uri: parts
            .uri
            .path_and_query()
            .map_or("/", PathAndQuery::as_str)
            .to_owned(),
        headers: &parts.headers,
        address: parts.extensions.get::<Peer>().map(|peer| peer.address.ip()),
        annotations: who.annotations.clone(),
    };
    log.begin(request).await
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
