//! Requests that are read in exactly one way, and those that are not read at all.

use http::{HeaderValue, Request, StatusCode, Version};

use super::{Scheme, Visit};

fn read(request: http::request::Builder) -> Result<Visit, StatusCode> {
    let new_id = || HeaderValue::from_static("new");
    Visit::read(&request.body(()).unwrap(), Scheme::Https, new_id).map_err(|refusal| refusal.status)
}

fn request(uri: &str) -> http::request::Builder {
    Request::get(uri)
}

#[test]
fn host_comes_from_the_header_or_the_request_line() {
    let visit = read(request("/a?b").header("host", "a.example.org:8443")).unwrap();
    assert_eq!(
        (visit.authority(), visit.path(), visit.path_and_query()),
        ("a.example.org:8443", "/a", "/a?b")
    );
    let visit = read(request("http://a.example.org/x").header("host", "other.example.org")).unwrap();
    assert_eq!(visit.authority(), "a.example.org");
    let visit = read(request("https://a.example.org").version(Version::HTTP_2)).unwrap();
    assert_eq!((visit.authority(), visit.path()), ("a.example.org", "/"));
}

#[test]
fn request_without_exactly_one_host_is_bad() {
    let two = request("/")
        .header("host", "a.example.org")
        .header("host", "b.example.org");
    let differing = request("https://a.example.org/")
        .version(Version::HTTP_2)
        .header("host", "b.example.org");
    for builder in [
        request("/"),
        request("/").header("host", ""),
        request("/").header("host", "evil.example/.toolforge.org"),
        request("/").header("host", "user@a.example.org"),
        request("/").header("host", "a.example.org:http"),
        request("/").header("host", "a b"),
        two,
        differing,
    ] {
        assert_eq!(read(builder).unwrap_err(), StatusCode::BAD_REQUEST);
    }
}

#[test]
fn expectations_that_we_cannot_meet_are_refused() {
    let expecting = |what: &'static str| {
        let request = request("/")
            .header("host", "a.example.org")
            .header("expect", what);
        read(request).map(|_| ())
    };
    assert_eq!(expecting("100-Continue"), Ok(()));
    assert_eq!(expecting("miracles"), Err(StatusCode::EXPECTATION_FAILED));
}

#[test]
fn proxying_methods_and_asterisks_are_refused() {
    let connect = Request::connect("a.example.org:443").header("host", "a.example.org");
    assert_eq!(read(connect).unwrap_err(), StatusCode::METHOD_NOT_ALLOWED);
    let trace = Request::trace("/").header("host", "a.example.org");
    assert_eq!(read(trace).unwrap_err(), StatusCode::METHOD_NOT_ALLOWED);
    let asterisk = Request::options("*").header("host", "a.example.org");
    assert_eq!(read(asterisk).unwrap_err(), StatusCode::BAD_REQUEST);
}

#[test]
fn upgrade_needs_both_headers_and_http_1_1() {
    let upgrade = |version: Version, connection: &'static str| {
        let builder = request("/").version(version).header("host", "a.example.org");
        read(
            builder
                .header("connection", connection)
                .header("upgrade", "websocket"),
        )
        .unwrap()
        .is_upgrade
    };
    assert!(upgrade(Version::HTTP_11, "keep-alive, Upgrade"));
    assert!(!upgrade(Version::HTTP_11, "keep-alive"));
    assert!(!upgrade(Version::HTTP_10, "upgrade"));
}

#[test]
fn request_id_is_the_visitors_or_new() {
    let id = |value: Option<&str>| {
        let builder = request("/").header("host", "a.example.org");
        let builder = match value {
            Some(value) => builder.header("x-request-id", value),
            None => builder,
        };
        read(builder).unwrap().request_id
    };
    assert_eq!(id(Some("abc")), "abc");
    assert_eq!(id(None), "new");
    assert_eq!(id(Some(&"x".repeat(200))), "new");
}
