//! What happens to headers on their way through. Pure: the one place for each rule.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, CONTENT_SECURITY_POLICY_REPORT_ONLY, COOKIE, HOST, LOCATION, STRICT_TRANSPORT_SECURITY,
        TE, UPGRADE,
    },
};
use toolforge_routing::host_name;

use crate::{
    names::{
        PERMISSIONS_POLICY, SERVICE_WORKER_ALLOWED, TOOLFORGE_ANSWER, X_CLACKS_OVERHEAD, X_FORWARDED_HOST,
        X_FORWARDED_PORT, X_FORWARDED_PROTO, X_ORIGINAL_URI, X_REQUEST_ID,
    },
    visit::{Scheme, Visit, names_token},
};

/// How long browsers come back over HTTPS only: 366 days, as the original since 2020-07-15.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31622400");
/// Tools share a domain, so no tool may opt its visitors into being profiled across it.
const PERMISSIONS: HeaderValue = HeaderValue::from_static("browsing-topics=()");
/// The name that every answer of the original carries.
const CLACKS: HeaderValue = HeaderValue::from_static("GNU Terry Pratchett");

/// Whose answer it is, on those that no tool gave.
const GATEWAY: HeaderValue = HeaderValue::from_static("gateway");

/// Makes the visitor's headers those of the request that a tool gets.
///
/// The visitor's address is not among them, and whatever the visitor says about it is dropped: tools do not see it.
pub(crate) fn forward(headers: &mut HeaderMap, visit: &Visit, https_port: &HeaderValue) {
    let upgrade = if visit.is_upgrade {
        headers.get(UPGRADE).cloned()
    } else {
        None
    };
    let wants_trailers = headers
        .get_all(TE)
        .iter()
        .any(|value| names_token(value, "trailers"));
    remove_named(headers);
    remove_where(headers, |name| is_hop_by_hop(name) || is_withheld(name));
    join_cookies(headers);
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade);
    } else if wants_trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    identify(headers, visit, https_port);
}

/// What a visitor may not tell a tool: what is the gateway's to say, and what has an underscore in its name, as with nginx.
/// In the variables of CGI and WSGI `X_Real_IP` is the same as `X-Real-IP`, so that a visitor could say what only the gateway
/// may.
fn is_withheld(name: &str) -> bool {
    matches!(
        name,
        "expect" | "proxy" | "proxy-authorization" | "x-forwarded-for" | "x-real-ip" | "forwarded"
    ) || name.contains('_')
}

/// Makes one field of the cookies that HTTP/2 lets browsers send one by one (RFC 9113 8.2.3): servers for HTTP/1.1
/// often look at the first field alone.
fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    if cookies.next().is_none() || cookies.next().is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// The headers by which the gateway says what was asked of it.
pub(crate) fn identify(headers: &mut HeaderMap, visit: &Visit, https_port: &HeaderValue) {
    headers.insert(HOST, visit.authority.clone());
    headers.insert(X_FORWARDED_HOST, visit.authority.clone());
    let port = match visit.scheme {
        Scheme::Https => https_port.clone(),
        Scheme::Http => visit
            .port()
            .map_or(HeaderValue::from_static("80"), HeaderValue::from),
    };
    headers.insert(X_FORWARDED_PORT, port);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(visit.scheme.name()));
    headers.insert(X_REQUEST_ID, visit.request_id.clone());
    headers.insert(X_ORIGINAL_URI, original_uri(visit));
}

fn original_uri(visit: &Visit) -> HeaderValue {
    // A path is made of bytes that a header value may have.
    HeaderValue::from_str(visit.path_and_query()).unwrap_or(HeaderValue::from_static("/"))
}

/// Makes a tool's headers those of the answer that the visitor gets.
pub(crate) fn backward(
    headers: &mut HeaderMap,
    visit: &Visit,
    public_https_port: u16,
    report_only: Option<&HeaderValue>,
) {
    remove_hop_by_hop(headers);
    // Not a tool's to say.
    headers.remove(TOOLFORGE_ANSWER);
    if let Some(location) = secure_location(headers, visit, public_https_port) {
        headers.insert(LOCATION, location);
    }
    finish(headers, visit.scheme, report_only);
}

/// Withholds what a tool may say of its own hosts only: on a host that tools share it would have its scripts in the place of all others.
pub(crate) fn share(headers: &mut HeaderMap) {
    headers.remove(SERVICE_WORKER_ALLOWED);
}

/// What every answer carries that no tool gave: also a mark by which programs tell it from a tool's.
pub(crate) fn finish_own(headers: &mut HeaderMap, scheme: Scheme, report_only: Option<&HeaderValue>) {
    headers.insert(TOOLFORGE_ANSWER, GATEWAY);
    finish(headers, scheme, report_only);
}

/// What every answer carries; with a policy on content that only reports, in place of the tool's own, where there is one.
pub(crate) fn finish(headers: &mut HeaderMap, scheme: Scheme, report_only: Option<&HeaderValue>) {
    if scheme == Scheme::Https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    } else {
        // It means nothing there (RFC 6797 7.2), and is not the tool's to say: hosts share a domain.
        headers.remove(STRICT_TRANSPORT_SECURITY);
    }
    headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
    headers.insert(X_CLACKS_OVERHEAD, CLACKS);
    if let Some(policy) = report_only {
        headers.insert(CONTENT_SECURITY_POLICY_REPORT_ONLY, policy.clone());
    }
}

/// Removes what belongs to one connection: RFC 9110 7.6.1, and whatever `Connection` names.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    remove_named(headers);
    remove_where(headers, is_hop_by_hop);
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade"
    )
}

/// Removes what `Connection` names.
fn remove_named(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers.get_all(CONNECTION).iter().flat_map(tokens).collect();
        for name in named {
            headers.remove(name);
        }
    }
}

/// Removes fields by their names. There are few to be removed, so the names are looked through, which costs less than asking
/// for each that may be there.
fn remove_where(headers: &mut HeaderMap, is_one: impl Fn(&str) -> bool) {
    while let Some(name) = headers.keys().find(|name| is_one(name.as_str())).cloned() {
        headers.remove(name);
    }
}

fn tokens(list: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    let items = list
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii);
    // These two are the usual ones, and no headers to look for.
    let items = items.filter(|item| !item.eq_ignore_ascii_case(b"close"));
    items.filter_map(|item| HeaderName::from_bytes(item).ok())
}

/// A redirect of a tool to its own host over plain HTTP, led to HTTPS at once: tools behind a proxy often do not know
/// how they are reached.
fn secure_location(headers: &HeaderMap, visit: &Visit, public_https_port: u16) -> Option<HeaderValue> {
    if visit.scheme != Scheme::Https {
        return None;
    }
    let location = headers.get(LOCATION)?.to_str().ok()?;
    let scheme = location.get(..7)?;
    let rest = location
        .get(7..)
        .filter(|_| scheme.eq_ignore_ascii_case("http://"))?;
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let host = host_name(&rest[..end])?;
    if host != host_name(visit.authority())? {
        return None;
    }
    HeaderValue::from_str(&format!(
        "https://{host}{}{}",
        port_suffix(public_https_port),
        &rest[end..]
    ))
    .ok()
}

/// The port of a URL, where it has to be named.
pub(crate) fn port_suffix(public_https_port: u16) -> String {
    if public_https_port == 443 {
        String::new()
    } else {
        format!(":{public_https_port}")
    }
}

#[cfg(test)]
mod tests;
