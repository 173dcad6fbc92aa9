//! Who asks, and may they. The API's own front proxy is believed whom it asks for, and has asked about rights itself;
//! everybody else shows a certificate or a token, and the API is asked about both.

mod question;
mod trust;

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use kube::Client;
use toolforge_pki::read_certificate_der;
use toolforge_serve::Peer;

use crate::api::refusal;
pub(crate) use question::User;
pub(crate) use trust::{Trust, follow};

/// What everybody may know.
const PUBLIC: [&str; 3] = ["/healthz", "/livez", "/readyz"];
/// Where the front proxy's word is enough.
const AGGREGATED: [&str; 2] = ["/apis", "/openapi/"];

/// Lets in who may come in.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) client: Client,
    pub(crate) trust: Arc<Trust>,
}

/// An identity, and whether the API has decided on the request already.
struct Asker {
    user: User,
    is_decided: bool,
}

/// A layer before every path.
pub(crate) async fn admit(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if PUBLIC.contains(&path) {
        return next.run(request).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "nothing can be written here";
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    }
    let asker = match door.identify(&peer, request.headers(), path).await {
        Ok(Some(asker)) => asker,
        Ok(None) => return refusal(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"),
        Err(error) => return unknown(&error),
    };
    if !asker.is_decided {
        let path = path.to_owned();
        match question::is_allowed(&door.client, &asker.user, &path).await {
            Ok(true) => {}
            Ok(false) => {
                let name = &asker.user.name;
                let message =
                    format!("user \"{name}\" may not get {path}; ask an operator for a role that allows it");
                return refusal(StatusCode::FORBIDDEN, "Forbidden", &message);
            }
            Err(error) => return unknown(&error),
        }
    }
    next.run(request).await
}

fn unknown(error: &kube::Error) -> Response {
    tracing::warn!(%error, "the API does not say who may ask");
    let message = "the Kubernetes API does not say who may ask here; try again";
    refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
}

impl Door {
    async fn identify(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        path: &str,
    ) -> Result<Option<Asker>, kube::Error> {
        if let Some(der) = &peer.certificate {
            let now = SystemTime::now();
            let Ok(named) = read_certificate_der(der) else {
                return Ok(None);
            };
            if self.trust.is_front_proxy(der, &named.common_name, now) {
                let is_decided = AGGREGATED.iter().any(|below| path.starts_with(below));
                let user = self.trust.user(headers);
                return Ok(user.map(|user| Asker { user, is_decided }));
            }
            let user = User {
                name: named.common_name,
                groups: named.organizations,
                ..User::default()
            };
            let known = self.trust.is_client(der, now) && !user.name.is_empty();
            return Ok(known.then(|| Asker {
                user: user.authenticated(),
                is_decided: false,
            }));
        }
        let authorization = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let Some(token) = authorization.and_then(bearer) else {
            return Ok(None);
        };
        let user = question::owner(&self.client, token).await?;
        Ok(user.map(|user| Asker {
            user,
            is_decided: false,
        }))
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
