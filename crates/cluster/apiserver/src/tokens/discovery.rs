//! What strangers need to check our tokens: the `OpenID` discovery document and the set of public keys.
//!
//! Only who may read them does, by the role `system:service-account-issuer-discovery`.

use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::signed::{ALGORITHM, base64};
use super::{ISSUER, Tokens};
use crate::respond;

/// Where the document lies.
const CONFIGURATION: &str = "/.well-known/openid-configuration";
/// Where the keys lie.
const KEYS: &str = "/openid/v1/jwks";
/// How long both may be kept by clients, as in Kubernetes.
const CACHE: &str = "public, max-age=3600";

impl Tokens {
    /// Answers a request for one of the two; nothing for any other path.
    pub(crate) fn discover(&self, path: &str) -> Option<Response> {
        let (value, media_type) = match path.trim_end_matches('/') {
            CONFIGURATION => (self.configuration(), "application/json"),
            KEYS => (self.keys(), "application/jwk-set+json"),
            _ => return None,
        };
        let mut response = respond::json(StatusCode::OK, &value);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(CACHE));
        Some(response)
    }

    fn configuration(&self) -> Value {
        json!({
            "issuer": ISSUER,
            "jwks_uri": format!("{}{KEYS}", self.advertise),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        })
    }

    fn keys(&self) -> Value {
        let (x, y) = self.key.public_coordinates();
        json!({ "keys": [{
            "use": "sig", "kty": "EC", "kid": self.key_id, "crv": "P-256", "alg": ALGORITHM,
            "x": base64(x), "y": base64(y),
        }]})
    }
}
