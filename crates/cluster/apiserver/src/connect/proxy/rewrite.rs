//! What changes on a request and its answer on the way through the API: headers that are between two parties only, and
//! places that are named from the backend's point of view. Pure.

use http::Uri;
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// Headers that are said by one party to the next and no further (RFC 9110, 7.6.1).
static HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// How headers begin that say as whom a request is made: an affair of client and API.
const IMPERSONATE: &str = "impersonate-";
/// How headers begin that would open the API to scripts of other sites, on a backend's word.
const CORS: &str = "access-control-";

/// A request's path up to the subresource, and what is below it; both as they were sent.
pub(super) fn split(path: &str, namespaced: bool) -> (&str, &str) {
    // "/api/v1/namespaces/NS/pods/NAME/proxy" and "/api/v1/nodes/NAME/proxy".
    let segments = if namespaced { 7 } else { 5 };
    let end = path
        .match_indices('/')
        .nth(segments)
        .map_or(path.len(), |(at, _)| at);
    path.split_at(end)
}

/// The headers of a request as its backend gets them.
pub(crate) fn to_backend(headers: &HeaderMap, upgrade: bool) -> HeaderMap {
    let mut out = passed_on(headers, upgrade);
    out.remove(HOST);
    out.remove(AUTHORIZATION);
    without(&mut out, IMPERSONATE);
    out
}

/// The headers of an answer as the client gets them.
pub(crate) fn to_client(headers: &HeaderMap, upgrade: bool) -> HeaderMap {
    let mut out = passed_on(headers, upgrade);
    without(&mut out, CORS);
    out
}

fn passed_on(headers: &HeaderMap, upgrade: bool) -> HeaderMap {
    let mut out = headers.clone();
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in named {
        if name != "upgrade" {
            out.remove(name.as_str());
        }
    }
    let asked = upgrade.then(|| out.get(UPGRADE).cloned()).flatten();
    for name in &HOP_BY_HOP {
        out.remove(name);
    }
    if let Some(asked) = asked {
        out.insert(UPGRADE, asked);
        out.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    out
}

fn without(headers: &mut HeaderMap, beginning: &str) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(beginning))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// A `Location` of the backend (which the API knows as `backend`, and the client as `host`) as the client finds it.
pub(super) fn location(text: &str, prefix: &str, backend: &str, host: &str) -> String {
    let Ok(uri) = text.parse::<Uri>() else {
        return text.to_owned();
    };
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let elsewhere = authority.is_some_and(|authority| authority != backend && authority != host);
    let path = uri.path();
    if elsewhere || !path.starts_with('/') || (authority.is_none() && !text.starts_with('/')) {
        return text.to_owned();
    }
    let fragment = text.find('#').map_or("", |at| &text[at..]);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let start = match authority {
        Some(authority) if authority == host => {
            format!("{}://{authority}", uri.scheme_str().unwrap_or("https"))
        }
        _ => String::new(),
    };
    let prefix = if path.starts_with(prefix) { "" } else { prefix };
    format!("{start}{prefix}{path}{query}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_behind_the_subresource() {
        let pod = "/api/v1/namespaces/n/pods/p:80/proxy";
        assert_eq!(split(pod, true), (pod, ""));
        assert_eq!(split(&format!("{pod}/a%2Fb/"), true), (pod, "/a%2Fb/"));
        let node = "/api/v1/nodes/one/proxy";
        assert_eq!(split(&format!("{node}/healthz"), false), (node, "/healthz"));
    }

    #[test]
    fn places_are_named_as_the_client_finds_them() {
        let prefix = "/api/v1/namespaces/n/services/s/proxy";
        let rewritten = |text: &str| location(text, prefix, "127.64.0.2:8000", "localhost:8001");
        assert_eq!(rewritten("/login?a=b"), format!("{prefix}/login?a=b"));
        assert_eq!(rewritten("http://127.64.0.2:8000/x/#y"), format!("{prefix}/x/#y"));
        assert_eq!(rewritten("https://example.org/x"), "https://example.org/x");
        assert_eq!(rewritten("deeper"), "deeper");
        assert_eq!(rewritten(&format!("{prefix}/x")), format!("{prefix}/x"));
        assert_eq!(
            rewritten("http://localhost:8001/x"),
            format!("http://localhost:8001{prefix}/x")
        );
    }

    #[test]
    fn a_backend_does_not_learn_the_clients_credentials() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer secret"),
            ("impersonate-user", "x"),
            ("connection", "keep-alive, x-mine"),
            ("x-mine", "1"),
            ("cookie", "kept"),
            ("host", "api"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let out = to_backend(&headers, false);
        assert_eq!(out.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["cookie"]);
    }

    #[test]
    fn an_upgrade_is_passed_on_when_it_is_one() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        assert_eq!(to_backend(&headers, true)[CONNECTION], "Upgrade");
        assert_eq!(to_backend(&headers, true)[UPGRADE], "websocket");
        assert!(to_backend(&headers, false).is_empty());
    }
}
