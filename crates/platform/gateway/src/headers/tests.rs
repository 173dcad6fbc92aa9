//! Which headers pass, which do not, and which are ours.

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::{backward, finish_own, forward};
use crate::visit::{Scheme, Visit};

const HTTPS_PORT: HeaderValue = HeaderValue::from_static("8443");

fn forwarded(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut builder = Request::get("/a?b").header("host", "a.example.org:8443");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let request = builder.body(()).unwrap();
    let visit = Visit::read(&request, Scheme::Https, || HeaderValue::from_static("new")).unwrap();
    let mut headers = request.headers().clone();
    forward(&mut headers, &visit, &HTTPS_PORT);
    headers
}

fn answered(headers: &[(&'static str, &'static str)], port: u16) -> HeaderMap {
    let request = Request::get("/")
        .header("host", "a.example.org:8443")
        .body(())
        .unwrap();
    let visit = Visit::read(&request, Scheme::Https, || HeaderValue::from_static("new")).unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    backward(&mut map, &visit, port, None);
    map
}

#[test]
fn tool_learns_what_was_asked_and_not_by_whom() {
    let headers = forwarded(&[
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("x-real-ip", "192.0.2.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "other"),
        ("proxy", "http://evil"),
        ("traceparent", "00-1-2-01"),
        ("cookie", "a=b"),
    ]);
    for absent in ["x-forwarded-for", "forwarded", "x-real-ip", "proxy"] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
    for (name, value) in [
        ("host", "a.example.org:8443"),
        ("x-forwarded-host", "a.example.org:8443"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-proto", "https"),
        ("x-original-uri", "/a?b"),
        ("x-request-id", "new"),
        ("traceparent", "00-1-2-01"),
        ("cookie", "a=b"),
    ] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
}

#[test]
fn headers_of_one_connection_do_not_pass() {
    let headers = forwarded(&[
        ("connection", "close, X-Hop, host"),
        ("connection", "x-other"),
        ("x-hop", "1"),
        ("x-other", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
    ]);
    for absent in [
        "connection",
        "x-hop",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "expect",
    ] {
        assert!(!headers.contains_key(absent), "{absent}");
    }
    assert_eq!(headers["host"], "a.example.org:8443");
}

#[test]
fn cookies_sent_one_by_one_become_one_field() {
    let headers = forwarded(&[("cookie", "a=b"), ("cookie", "c=d")]);
    assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=b; c=d"]);
}

#[test]
fn upgrades_and_trailers_are_asked_for_again() {
    let headers = forwarded(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
    assert_eq!(
        (&headers["connection"], &headers["upgrade"]),
        (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
    );
    let headers = forwarded(&[("te", "gzip, trailers")]);
    assert_eq!(headers["te"], "trailers");
}

#[test]
fn answer_carries_what_every_answer_carries() {
    let headers = answered(
        &[
            ("permissions-policy", "interest-cohort=*"),
            ("connection", "close"),
        ],
        443,
    );
    assert_eq!(headers["strict-transport-security"], "max-age=31622400");
    assert_eq!(headers["permissions-policy"], "browsing-topics=()");
    assert!(!headers.contains_key("connection"));
    assert!(!headers.contains_key("content-security-policy-report-only"));
}

#[test]
fn only_what_no_tool_gave_is_marked() {
    let mark = "toolforge-answer";
    assert!(!answered(&[(mark, "gateway")], 443).contains_key(mark));
    let mut headers = HeaderMap::new();
    finish_own(&mut headers, Scheme::Https, None);
    assert_eq!(headers[mark], "gateway");
}

#[test]
fn redirect_to_the_own_host_stays_on_https() {
    for (location, port, expected) in [
        ("http://a.example.org/x?y", 443, "https://a.example.org/x?y"),
        (
            "http://A.example.org:8443/x",
            8443,
            "https://a.example.org:8443/x",
        ),
        ("HTTP://a.example.org", 443, "https://a.example.org"),
        ("http://b.example.org/x", 443, "http://b.example.org/x"),
        ("http://a.example.org.evil/", 443, "http://a.example.org.evil/"),
        ("http://a.example.org@evil/", 443, "http://a.example.org@evil/"),
        ("/x", 443, "/x"),
        ("https://a.example.org/", 443, "https://a.example.org/"),
        ("", 443, ""),
    ] {
        assert_eq!(
            answered(&[("location", location)], port)["location"],
            expected,
            "{location}"
        );
    }
}
