use toolforge_model::Maintainer;

use super::render;
use crate::accept::Form;
use crate::fourohfour::page::{Page, Subject};

fn page(status: u16, subject: Subject) -> Page {
    let url = "https://nope.toolforge.org/a?b=c".to_owned();
    Page {
        status,
        url,
        site: "toolforge.org".to_owned(),
        subject,
    }
}

fn people() -> Vec<Maintainer> {
    ["Ada Lovelace", "Grace Hopper"]
        .map(|name| Maintainer {
            uid: "x".to_owned(),
            name: name.to_owned(),
        })
        .into()
}

fn unknown() -> Page {
    let near = vec!["nape".parse().unwrap(), "nopes".parse().unwrap()];
    page(
        404,
        Subject::UnknownTool {
            name: "nope".to_owned(),
            near,
        },
    )
}

fn stopped() -> Page {
    page(
        503,
        Subject::NoWebservice {
            tool: "nope".parse().unwrap(),
            maintainers: people(),
        },
    )
}

fn dead(status: u16) -> Page {
    page(
        status,
        Subject::DeadBackend {
            tool: Some("nope".parse().unwrap()),
            maintainers: people(),
        },
    )
}

#[test]
fn pages_read_well_as_text() {
    let all = [
        unknown(),
        stopped(),
        dead(502),
        dead(503),
        dead(504),
        page(
            502,
            Subject::DeadBackend {
                tool: None,
                maintainers: vec![],
            },
        ),
        page(404, Subject::NotHere),
        page(503, Subject::NotKnownYet),
        page(200, Subject::Platform),
    ];
    let texts: Vec<String> = all.iter().map(|page| render(page, Form::Text)).collect();
    insta::assert_snapshot!(texts.join("\n----------\n"));
}

#[test]
fn pages_are_plain_facts_as_json() {
    let texts: Vec<String> = [unknown(), stopped(), dead(504)]
        .iter()
        .map(|page| render(page, Form::Json))
        .collect();
    insta::assert_snapshot!(texts.join(""));
}

#[test]
fn a_page_about_an_unknown_tool_in_html() {
    insta::assert_snapshot!(render(&unknown(), Form::Html));
}

#[test]
fn a_page_about_a_tool_without_webservice_in_html() {
    insta::assert_snapshot!(render(&stopped(), Form::Html));
}

#[test]
fn every_form_names_what_was_asked_for() {
    for form in [Form::Html, Form::Json, Form::Text] {
        for page in [unknown(), stopped(), dead(502), page(404, Subject::NotHere)] {
            let body = render(&page, form);
            assert!(body.contains("The URL you have requested"), "{body}");
        }
    }
}

#[test]
fn what_comes_from_outside_is_escaped() {
    let evil = "<script>alert(1)</script>\"'&";
    let mut page = stopped();
    page.url = format!("https://nope.toolforge.org/{evil}");
    page.subject = Subject::NoWebservice {
        tool: "nope".parse().unwrap(),
        maintainers: vec![Maintainer {
            uid: evil.to_owned(),
            name: evil.to_owned(),
        }],
    };
    let html = render(&page, Form::Html);
    assert!(
        !html.contains("<script") && html.contains("&#60;script&#62;"),
        "{html}"
    );
    let json = render(&page, Form::Json);
    assert!(json.contains("<script>alert(1)</script>\\\""), "{json}");
}

#[test]
fn pages_need_nothing_from_elsewhere() {
    for page in [unknown(), stopped(), dead(502), page(200, Subject::Platform)] {
        let html = render(&page, Form::Html);
        for forbidden in ["<script", "<link", "<img", "src=", "@import", "url("] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        assert!(html.contains("name=\"robots\" content=\"noindex"));
    }
}
