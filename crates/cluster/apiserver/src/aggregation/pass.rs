//! A request on its way to another server, and the answer on its way back.
//!
//! The server learns who asks, and that the API has checked it; it learns no credentials. Bodies of any length pass,
//! watches among them, and upgrades.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use toolforge_kinds::Status;

use super::remote::Remote;
use crate::api::Api;
use crate::authn::{self, User};
use crate::connect::{rewrite, tunnel};
use crate::world::StoredWorld;

/// How headers begin that only the API may set.
const REMOTE: &str = "x-remote-";

/// Asks the server and answers with what it says.
pub(crate) async fn pass(
    api: &Arc<Api>,
    remote: &Remote,
    user: &User,
    mut request: Request<Body>,
) -> Result<Response, Status> {
    let upgrade = toolforge_streams::is_upgrade(request.headers());
    let ends = tunnel::Ends::of(&api.closing, &request);
    let client = hyper::upgrade::on(&mut request);
    let unreachable = |problem: &dyn std::fmt::Display| {
        Status::service_unavailable(format!("error trying to reach service: {problem}"))
    };
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut asked = Request::new(body);
    *asked.method_mut() = parts.method;
    *asked.uri_mut() = target
        .parse()
        .map_err(|problem| Status::bad_request(format!("the path cannot be passed on: {problem}")))?;
    *asked.headers_mut() = headers(remote, user, parts.headers, upgrade)?;
    let addresses = remote
        .addresses(&world(api))
        .map_err(|problem| unreachable(&problem))?;
    let answer = remote
        .send(addresses, asked)
        .await
        .map_err(|problem| unreachable(&problem))?;
    if upgrade && answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(tunnel::join(client, answer, ends));
    }
    let (parts, body) = answer.into_parts();
    let body = body
        .into_data_stream()
        .take_until(api.closing.clone().cancelled_owned());
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = rewrite::to_client(&parts.headers, false);
    Ok(response)
}

pub(super) fn world(api: &Api) -> StoredWorld {
    StoredWorld {
        store: api.store.clone(),
        kinds: api.kinds.clone(),
        access: api.access.clone(),
        conversion: None,
    }
}

/// What the client said, less what is not for others, and who it is.
pub(super) fn headers(
    remote: &Remote,
    user: &User,
    mut from: HeaderMap,
    upgrade: bool,
) -> Result<HeaderMap, Status> {
    authn::withhold_token(&mut from);
    let mut headers = rewrite::to_backend(&from, upgrade);
    let forged: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(REMOTE))
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
    let mut say = |name: String, value: &str| {
        let name = HeaderName::try_from(name).map_err(Status::internal)?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(Status::internal)?;
        headers.append(name, value);
        Ok::<(), Status>(())
    };
    say(HOST.to_string(), &format!("{}:{}", remote.host(), remote.port))?;
    say("x-remote-user".to_owned(), &user.name)?;
    if !user.uid.is_empty() {
        say("x-remote-uid".to_owned(), &user.uid)?;
    }
    for group in &user.groups {
        say("x-remote-group".to_owned(), group)?;
    }
    for (key, values) in &user.extra {
        for value in values {
            say(format!("x-remote-extra-{}", escaped(key)), value)?;
        }
    }
    Ok(headers)
}

/// A key as a part of a header's name: what may not stand there, and the escape itself, as `%xx`.
fn escaped(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte) {
            text.push(char::from(byte.to_ascii_lowercase()));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aggregation::FrontProxy;

    #[test]
    fn a_server_learns_who_asks_and_nothing_that_a_client_made_up() {
        let front = FrontProxy::create().unwrap();
        let object = json!({"spec": {"group": "g.example", "version": "v1", "service": {"namespace": "n", "name": "s"}}});
        let remote = Remote::read("v1.g.example", &object, &front).unwrap();
        let mut user = User::authenticated("ada", &["tools"]);
        user.extra = vec![(
            "authentication.kubernetes.io/Key".to_owned(),
            vec!["1".to_owned(), "2".to_owned()],
        )];
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer secret"),
            ("x-remote-user", "admin"),
            ("x-remote-group", "system:masters"),
            ("x-remote-extra-a", "b"),
            ("impersonate-user", "x"),
            ("accept", "application/json"),
        ] {
            from.insert(name, HeaderValue::from_static(value));
        }
        let headers = headers(&remote, &user, from, false).unwrap();
        let all = |name: &str| -> Vec<&str> {
            let values = headers.get_all(name).iter();
            values.map(|value| value.to_str().unwrap()).collect()
        };
        assert_eq!(all("host"), ["s.n.svc:443"]);
        assert_eq!(all("x-remote-user"), ["ada"]);
        assert_eq!(all("x-remote-group"), ["tools", "system:authenticated"]);
        assert_eq!(
            all("x-remote-extra-authentication.kubernetes.io%2fkey"),
            ["1", "2"]
        );
        assert_eq!(all("accept"), ["application/json"]);
        for gone in ["authorization", "impersonate-user", "x-remote-extra-a"] {
            assert!(all(gone).is_empty(), "{gone}");
        }
    }
}
