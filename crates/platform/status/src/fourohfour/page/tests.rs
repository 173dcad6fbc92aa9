use proptest::prelude::*;
use toolforge_model::{Domain, Maintainer};

use super::{Page, Subject, Visit, page};
use crate::fourohfour::Tools;

fn domain() -> Domain {
    "toolforge.org".parse().unwrap()
}

fn tools() -> Tools {
    let ada = Maintainer {
        uid: "ada".to_owned(),
        name: "Ada Lovelace".to_owned(),
    };
    [("alpha", vec![ada]), ("beta", vec![])]
        .map(|(name, people)| (name.parse().unwrap(), people))
        .into_iter()
        .collect()
}

fn visit_with(host: &str, uri: &str, code: Option<u16>) -> Page {
    page(Visit { host, uri, code }, &domain(), Some(&tools()))
}

fn visit(host: &str) -> Page {
    visit_with(host, "/", None)
}

fn near(page: &Page) -> Vec<&str> {
    match &page.subject {
        Subject::UnknownTool { near, .. } => near.iter().map(AsRef::as_ref).collect(),
        other => panic!("{other:?} is not about an unknown tool"),
    }
}

#[test]
fn a_tool_that_does_not_exist_is_not_found_with_what_may_have_been_meant() {
    let page = visit("alhpa.toolforge.org");
    assert_eq!(page.status, 404);
    assert_eq!(near(&page), ["alpha"]);
    assert!(near(&visit("something-else.toolforge.org")).is_empty());
}

#[test]
fn a_name_below_a_tools_name_is_not_found_but_understood() {
    let page = visit("www.alpha.toolforge.org");
    assert_eq!(page.status, 404);
    assert_eq!(near(&page), ["alpha"]);
    assert!(near(&visit("www.nope.toolforge.org")).is_empty());
}

#[test]
fn a_tool_without_a_webservice_says_who_maintains_it() {
    for host in ["alpha.toolforge.org", "ALPHA.toolforge.org.:8443"] {
        let page = visit(host);
        assert_eq!(page.status, 503);
        match page.subject {
            Subject::NoWebservice { tool, maintainers } => {
                assert_eq!(tool.as_str(), "alpha");
                assert_eq!(maintainers[0].name, "Ada Lovelace");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_tool_that_does_not_answer_keeps_the_gateways_status() {
    for code in [502, 503, 504] {
        let page = visit_with("alpha.toolforge.org", "/", Some(code));
        assert_eq!(page.status, code);
        assert!(matches!(page.subject, Subject::DeadBackend { tool: Some(_), .. }));
    }
    assert_eq!(visit_with("elsewhere.example", "/", Some(502)).status, 502);
    for code in [200, 404, 500] {
        assert_eq!(visit_with("nope.toolforge.org", "/", Some(code)).status, 404);
    }
}

#[test]
fn the_bare_domain_is_the_platforms_own_page_and_nothing_below_it() {
    assert_eq!(visit("toolforge.org").subject, Subject::Platform);
    assert_eq!(visit_with("toolforge.org:8443", "/?a", None).status, 200);
    assert_eq!(
        visit_with("toolforge.org", "/admin", None).subject,
        Subject::NotHere
    );
}

#[test]
fn a_host_that_is_not_ours_is_not_found() {
    for host in [
        "",
        "127.0.0.1",
        "example.org",
        "alpha.toolforge.org.evil.example",
        "xtoolforge.org",
        "a_b.toolforge.org",
    ] {
        let page = visit(host);
        assert_eq!((page.status, page.subject), (404, Subject::NotHere), "{host}");
    }
}

#[test]
fn before_the_tools_are_known_nothing_is_said_about_one() {
    let visit = |host| {
        page(
            Visit {
                host,
                uri: "/",
                code: None,
            },
            &domain(),
            None,
        )
    };
    assert_eq!(
        (
            visit("alpha.toolforge.org").status,
            visit("alpha.toolforge.org").subject
        ),
        (503, Subject::NotKnownYet)
    );
    assert_eq!(visit("toolforge.org").status, 200);
}

#[test]
fn links_keep_the_port_that_the_visitor_used() {
    assert_eq!(visit("alhpa.toolforge.org:8443").site, "toolforge.org:8443");
    assert_eq!(visit("alhpa.toolforge.org").site, "toolforge.org");
    assert_eq!(visit("alhpa.toolforge.org:x\"y").site, "toolforge.org");
}

#[test]
fn endless_urls_are_shortened() {
    let page = visit_with("alpha.toolforge.org", &format!("/{}", "ä".repeat(10_000)), None);
    assert!(page.url.chars().count() <= 201, "{}", page.url);
}

proptest! {
    #[test]
    fn every_visit_gets_an_answer_with_an_honest_status(host in "\\PC{0,40}", uri in "\\PC{0,40}", code in any::<Option<u16>>()) {
        let page = visit_with(&host, &uri, code);
        prop_assert!([200, 404, 502, 503, 504].contains(&page.status));
    }

    #[test]
    fn only_tools_with_similar_names_are_ever_named(name in "[a-z]{1,20}") {
        if let Subject::UnknownTool { near, .. } = visit(&format!("{name}.toolforge.org")).subject {
            prop_assert!(near.len() <= 3);
        }
    }
}
