//! From an HTTP request to a connection of bytes: what the client asks for, and what it is answered.

use http::header::{CONNECTION, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::refusal::Refusal;

/// What SPDY is called in `Upgrade`.
const SPDY: &str = "SPDY/3.1";
/// Where SPDY clients of Kubernetes say what they speak, and are told what it is.
const STREAM_PROTOCOL: &str = "x-stream-protocol-version";
/// The only version of WebSocket (RFC 6455).
const WEBSOCKET_VERSION: &str = "13";

/// What a client asks for, with the protocol above it that both know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SPDY, and one of Kubernetes' protocols on it.
    Spdy(&'static str),
    /// WebSocket with a protocol; without one where the client named none.
    WebSocket(Option<&'static str>),
}

/// Whether a request asks for another protocol on its connection.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
        && words(headers, CONNECTION.as_str()).any(|word| word.eq_ignore_ascii_case("upgrade"))
}

/// Whether a request asks for WebSocket.
pub fn is_websocket(headers: &HeaderMap) -> bool {
    is_upgrade(headers) && words(headers, UPGRADE.as_str()).any(|word| word.eq_ignore_ascii_case("websocket"))
}

/// The comma-separated words of all headers of a name.
fn words<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// Reads what a client asks for; of what it knows, the first that `on_spdy` or `on_websocket` names.
pub(crate) fn negotiate(
    headers: &HeaderMap,
    on_spdy: &[&'static str],
    on_websocket: &[&'static str],
) -> Result<Asked, Refusal> {
    if is_websocket(headers) {
        return websocket(headers, on_websocket).map(Asked::WebSocket);
    }
    if !is_upgrade(headers) || !words(headers, UPGRADE.as_str()).any(|word| word.eq_ignore_ascii_case(SPDY)) {
        return Err(Refusal::bad("Upgrade request required"));
    }
    let client: Vec<&str> = words(headers, STREAM_PROTOCOL).collect();
    if client.is_empty() {
        return Err(Refusal::bad(
            "unable to upgrade: X-Stream-Protocol-Version is required",
        ));
    }
    first_common(&client, on_spdy)
        .map(Asked::Spdy)
        .ok_or_else(|| Refusal::no_common_protocol(&client, on_spdy))
}

fn websocket(headers: &HeaderMap, known: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != WEBSOCKET_VERSION)
    {
        return Err(Refusal::bad(
            "unable to upgrade: missing or bad WebSocket version",
        ));
    }
    if !headers.contains_key(http::header::SEC_WEBSOCKET_KEY) {
        return Err(Refusal::bad("unable to upgrade: missing Sec-WebSocket-Key"));
    }
    let client: Vec<&str> = words(headers, SEC_WEBSOCKET_PROTOCOL.as_str()).collect();
    if client.is_empty() {
        return Ok(None);
    }
    first_common(&client, known)
        .map(Some)
        .ok_or_else(|| Refusal::no_common_protocol(&client, known))
}

fn first_common(client: &[&str], server: &[&'static str]) -> Option<&'static str> {
    client
        .iter()
        .find_map(|wanted| server.iter().copied().find(|known| known == wanted))
}

/// The answer that hands the connection over.
pub(crate) fn switching(headers: &HeaderMap, asked: Asked) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let own = response.headers_mut();
    own.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    match asked {
        Asked::Spdy(protocol) => {
            own.insert(UPGRADE, HeaderValue::from_static(SPDY));
            own.insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
        }
        Asked::WebSocket(protocol) => {
            own.insert(UPGRADE, HeaderValue::from_static("websocket"));
            let key = headers.get(http::header::SEC_WEBSOCKET_KEY);
            let accept = derive_accept_key(key.map(HeaderValue::as_bytes).unwrap_or_default());
            if let Ok(accept) = HeaderValue::from_str(&accept) {
                own.insert(http::header::SEC_WEBSOCKET_ACCEPT, accept);
            }
            if let Some(protocol) = protocol {
                own.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
            }
        }
    }
    response
}

/// Passes bytes between two connections until both directions have ended or one breaks.
pub async fn join(one: Upgraded, other: Upgraded) {
    let (mut one, mut other) = (TokioIo::new(one), TokioIo::new(other));
    if let Err(problem) = tokio::io::copy_bidirectional(&mut one, &mut other).await {
        tracing::debug!(%problem, "a tunnel broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    const KNOWN: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];

    #[test]
    fn spdy_clients_name_their_protocols_one_to_a_header() {
        let mut asked = headers(&[
            ("connection", "Upgrade"),
            ("upgrade", "SPDY/3.1"),
            ("x-stream-protocol-version", "v6.channel.k8s.io"),
            ("x-stream-protocol-version", "v4.channel.k8s.io"),
        ]);
        assert_eq!(
            negotiate(&asked, KNOWN, &[]),
            Ok(Asked::Spdy("v4.channel.k8s.io"))
        );
        let refused = negotiate(&asked, &["v1"], &[]).expect_err("nothing in common");
        assert_eq!(refused.code, 403);
        assert!(refused.message.contains("server accepts [v1]"), "{refused}");
        asked.remove("x-stream-protocol-version");
        assert_eq!(negotiate(&asked, KNOWN, &[]).expect_err("none").code, 400);
    }

    #[test]
    fn websocket_clients_name_theirs_in_one_header() {
        let mut asked = headers(&[
            ("connection", "keep-alive, upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "v9, v4.channel.k8s.io"),
        ]);
        let found = negotiate(&asked, &[], KNOWN).expect("known");
        assert_eq!(found, Asked::WebSocket(Some("v4.channel.k8s.io")));
        let answer = switching(&asked, found);
        // The example of RFC 6455.
        assert_eq!(
            answer.headers()["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        asked.remove("sec-websocket-protocol");
        assert_eq!(negotiate(&asked, &[], KNOWN), Ok(Asked::WebSocket(None)));
        asked.remove("sec-websocket-version");
        assert!(negotiate(&asked, &[], KNOWN).is_err());
    }

    #[test]
    fn other_requests_are_told_to_upgrade() {
        assert!(!is_upgrade(&headers(&[("upgrade", "h2c")])));
        let plain = negotiate(&headers(&[]), KNOWN, KNOWN).expect_err("plain");
        assert_eq!(
            (plain.code, plain.message.as_str()),
            (400, "Upgrade request required")
        );
    }
}
