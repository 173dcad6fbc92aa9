//! The token that a request carries: in its `Authorization`, or for browsers' `WebSockets` in the name of a subprotocol.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderMap, HeaderValue};

/// What such a subprotocol begins with; the token follows in base64.
const PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// The token of a request.
pub(crate) fn token(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
        let token = token.trim();
        let bears = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty();
        return bears.then(|| token.to_owned());
    }
    let protocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let encoded = protocols
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix(PROTOCOL))?;
    String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

/// Takes a token out of the subprotocols, so that whoever the request is passed on to does not learn it.
pub(crate) fn withhold(headers: &mut HeaderMap) {
    let offered: Vec<&str> = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    if !offered.iter().any(|protocol| protocol.starts_with(PROTOCOL)) {
        return;
    }
    let kept: Vec<&str> = offered
        .into_iter()
        .filter(|protocol| !protocol.starts_with(PROTOCOL))
        .collect();
    let kept = HeaderValue::try_from(kept.join(", "))
        .ok()
        .filter(|kept| !kept.is_empty());
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if let Some(kept) = kept {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        token(&headers)
    }

    #[test]
    fn reads_both_places() {
        assert_eq!(read("authorization", "Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("authorization", "bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(read("authorization", "Basic abc"), None);
        assert_eq!(read("authorization", "Bearer"), None);
        let protocols = "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.YWJj";
        assert_eq!(read("sec-websocket-protocol", protocols).as_deref(), Some("abc"));
        assert_eq!(read("sec-websocket-protocol", "v5.channel.k8s.io"), None);
    }

    #[test]
    fn a_token_is_not_passed_on() {
        let kept = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(SEC_WEBSOCKET_PROTOCOL, value.parse().unwrap());
            }
            withhold(&mut headers);
            let kept = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
            kept.map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let token = "base64url.bearer.authorization.k8s.io.YWJj";
        assert_eq!(kept(&["a,b", "c"]), ["a,b", "c"]);
        assert_eq!(kept(&[&format!("a, {token}"), "c"]), ["a, c"]);
        assert!(kept(&[token]).is_empty());
    }
}
