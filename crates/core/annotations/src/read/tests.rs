//! Annotations as people write them, and as the hostile do.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{AskedPath, Place, ProblemKind, Reading, Source, read};
use crate::{AuthServer, Extras};

const PLAIN: &[(&str, bool)] = &[("/", false)];

fn reading(annotations: &[(&str, &str)], paths: &[(&str, bool)]) -> Reading {
    let paths = paths
        .iter()
        .enumerate()
        .map(|(index, (path, may_be_pattern))| AskedPath {
            rule: 0,
            index,
            path,
            may_be_pattern: *may_be_pattern,
        });
    read(&Source {
        namespace: "tool-alpha",
        annotations: annotations.iter().copied().collect::<BTreeMap<_, _>>(),
        hosts: vec!["alpha.toolforge.org"],
        paths: paths.collect(),
    })
}

#[track_caller]
fn extras(annotations: &[(&str, &str)], paths: &[(&str, bool)]) -> Extras {
    let reading = reading(annotations, paths);
    assert_eq!(reading.problems, []);
    reading.extras.unwrap()
}

#[test]
fn without_annotations_there_is_nothing() {
    assert_eq!(reading(&[], PLAIN), Reading::default());
    let idle = reading(&[("proxy-buffering", "on")], PLAIN);
    assert_eq!((idle.extras, idle.problems.len(), idle.notes.len()), (None, 0, 1));
}

#[test]
fn a_rewrite_takes_groups_of_the_pattern() {
    let extras = extras(
        &[("use-regex", "true"), ("rewrite-target", "/x/$2")],
        &[("/something(/|$)(.*)", true)],
    );
    let pattern = extras.pattern("/something(/|$)(.*)").unwrap();
    let groups = pattern.captures("/something/a");
    let path = extras.rewrite.unwrap().with(|variable| match variable {
        crate::Variable::Group(number) => groups[*number].into(),
        _ => "".into(),
    });
    assert_eq!(path, "/x/a");
}

#[test]
fn a_rewrite_alone_makes_patterns_of_paths_that_can_be_some() {
    let both = extras(&[("rewrite-target", "/")], &[("/a/.*", true), ("/b", false)]);
    assert!(both.pattern("/a/.*").is_some() && both.pattern("/b").is_none());
    assert!(
        extras(&[("app-root", "/x")], &[("/a", true)])
            .pattern("/a")
            .is_none()
    );
}

#[test]
fn a_group_that_is_not_there_is_refused() {
    for (target, paths) in [
        ("/$1", PLAIN),
        ("/$3", &[("/something(/|$)(.*)", true)]),
        ("/$1", &[("/(.*)", true), ("/plain", true)]),
        ("/$1", &[("/(.*)", true), ("/plain", false)]),
    ] {
        let problems = reading(&[("rewrite-target", target)], paths).problems;
        assert!(
            matches!(&problems[..], [one] if one.kind == ProblemKind::Value),
            "{target}: {problems:?}"
        );
    }
}

#[test]
fn a_pattern_that_would_be_compared_letter_by_letter_is_refused() {
    let problems = reading(
        &[("use-regex", "true")],
        &[("/a/.*", true), ("/x(/|$)(.*)", false)],
    )
    .problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].place, Place::Path { rule: 0, index: 1 });
    assert_eq!(problems[0].kind, ProblemKind::Pattern);
    let many: Vec<String> = (0..40).map(|number| format!("/{number}")).collect();
    let many: Vec<(&str, bool)> = many.iter().map(|path| (path.as_str(), true)).collect();
    assert_eq!(reading(&[("use-regex", "true")], &many).problems.len(), 1);
}

#[test]
fn each_value_becomes_what_it_says() {
    let all = extras(
        &[
            ("affinity", "cookie"),
            ("session-cookie-name", "route"),
            ("session-cookie-max-age", "-1"),
            ("session-cookie-samesite", "lax"),
            ("permanent-redirect", "https://example.org$request_uri"),
            ("permanent-redirect-code", "308"),
            ("proxy-body-size", "8m"),
            ("proxy-read-timeout", "120"),
            ("proxy-connect-timeout", "99999"),
            ("enable-cors", "true"),
            ("cors-max-age", "600"),
            ("auth-url", "https://$host/oauth2/auth"),
            ("auth-signin", "https://$host/oauth2/start"),
            ("auth-response-headers", "X-User"),
            ("whitelist-source-range", "192.0.2.0/24,198.51.100.7"),
            ("limit-rps", "10"),
            ("custom-http-errors", "503,404"),
            ("default-backend", "pages"),
            ("upstream-vhost", "example.org"),
            ("x-forwarded-prefix", "/x"),
            ("backend-protocol", "HTTP"),
            ("force-ssl-redirect", "true"),
        ],
        PLAIN,
    );
    assert_eq!(all.body_limit_bytes, Some(8 << 20));
    assert_eq!(all.timeouts.read, Some(Duration::from_mins(2)));
    assert_eq!(all.timeouts.connect, Some(Duration::from_secs(75)));
    assert_eq!(all.redirect.unwrap().status, 308);
    assert_eq!(all.error_codes, [404, 503]);
    assert!(all.https_only && all.cors.is_some());
    assert!(all.allowed.unwrap().holds("192.0.2.9".parse().unwrap()));
    let rate = all.rates.unwrap().limits[0];
    assert_eq!((rate.cost_nanoseconds, rate.burst), (100_000_000, 50));
    assert_eq!(all.auth.unwrap().server, AuthServer::Host(None));
    let affinity = all.affinity.unwrap();
    assert_eq!(
        (affinity.name.as_str(), affinity.max_age_seconds),
        ("route", Some(-1))
    );
}

#[test]
fn no_value_brings_anything_along() {
    for name in crate::obeyed() {
        for value in [
            "",
            " ",
            "x\r\nSet-Cookie: a=b",
            "a;b",
            "}",
            "\"",
            "$pid",
            "\u{430}",
            "`",
            "\0",
            &"x".repeat(10_000),
        ] {
            let reading = reading(&[(name, value)], PLAIN);
            assert!(!reading.problems.is_empty(), "{name} {value:?}: {reading:?}");
        }
    }
}

#[test]
fn what_is_not_known_is_refused_with_what_is_near() {
    let problems = reading(&[("rewrite-targt", "/")], PLAIN).problems;
    assert_eq!(problems[0].kind, ProblemKind::Unknown);
    assert!(problems[0].instead.contains("/rewrite-target "), "{problems:?}");
    for name in [
        "server-snippet",
        "server-alias",
        "auth-type",
        "canary",
        "from-to-www-redirect",
        "auth-tls-secret",
    ] {
        assert_eq!(
            reading(&[(name, "x")], PLAIN).problems[0].kind,
            ProblemKind::Refused,
            "{name}"
        );
    }
}

#[test]
fn a_tool_that_wants_to_be_asked_over_tls_is_refused_with_the_reason() {
    for protocol in ["HTTPS", "GRPCS", "https", "FCGI", "AUTO_HTTP"] {
        let problems = reading(&[("backend-protocol", protocol)], PLAIN).problems;
        assert!(
            problems[0].why.contains("without TLS"),
            "{protocol}: {problems:?}"
        );
    }
}

#[test]
fn what_does_nothing_is_said() {
    for (annotations, name) in [
        (&[("cors-max-age", "1")][..], "cors-max-age"),
        (&[("session-cookie-name", "x")], "session-cookie-name"),
        (&[("auth-signin", "https://a.org/")], "auth-signin"),
        (&[("permanent-redirect-code", "308")], "permanent-redirect-code"),
        (&[("limit-whitelist", "192.0.2.1")], "limit-whitelist"),
        (&[("proxy-body-size", "0")], "proxy-body-size"),
        (&[("proxy-body-size", "1g")], "proxy-body-size"),
        (&[("ssl-redirect", "false")], "ssl-redirect"),
        (
            &[
                ("temporal-redirect", "https://a.org"),
                ("permanent-redirect", "https://b.org"),
            ],
            "permanent-redirect",
        ),
    ] {
        let reading = reading(annotations, PLAIN);
        assert_eq!(reading.problems, [], "{annotations:?}");
        assert!(
            reading.notes.iter().any(|note| note.name == name),
            "{annotations:?}: {reading:?}"
        );
    }
}

proptest! {
    #[test]
    fn nothing_panics(name in 0..crate::obeyed().len(), value in "\\PC{0,30}|[a-z0-9$/:.*,=-]{0,30}") {
        let _ = reading(&[(crate::obeyed()[name], &value)], &[("/a(.*)", true)]);
    }
}
