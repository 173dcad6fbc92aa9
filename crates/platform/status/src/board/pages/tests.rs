use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::board::example::{self, World as Example};
use crate::board::follow::KINDS;

fn config() -> BoardConfig {
    BoardConfig {
        domain: "toolforge.org".parse().unwrap(),
        https_port: 443,
        project: "tools".to_owned(),
        links: vec!["SAL=https://sal.example/{project}.{tool}".parse().unwrap()],
        gateways: Vec::new(),
        traffic_file: None,
    }
}

fn moment(heard: Option<Duration>) -> Moment {
    Moment {
        now: "2026-01-03T00:00:00Z".parse().unwrap(),
        heard,
    }
}

/// A tool that is up, one in trouble, one that does nothing.
fn example() -> Example {
    let mut example = Example::default();
    let ready = json!({ "phase": "Running", "podIP": "10.1.0.1", "conditions": [{ "type": "Ready", "status": "True" }],
        "containerStatuses": [{ "name": "webservice", "ready": true, "restartCount": 2,
            "state": { "running": { "startedAt": "2026-01-02T12:00:00Z" } } }] });
    let people = json!([{ "uid": "ada", "name": "Ada <script>" }]);
    for object in [
        example::namespace("tool-t", &people),
        example::namespace("tool-broken", &json!([])),
        example::namespace("tool-quiet", &json!([])),
        example::namespace("kube-system", &json!([])),
        example::node("worker-10"),
        example::node("worker-9"),
        example::pod("tool-t", "t-1", &ready),
        example::deployment("tool-t", "t", 1, 1),
        example::service("tool-t", "t"),
        example::ingress("tool-t", "t.toolforge.org", "t"),
        example::ingress("tool-broken", "broken.toolforge.org", "gone"),
        json!({ "kind": "Event", "metadata": { "name": "e", "namespace": "tool-t" }, "type": "Warning", "reason": "BackOff",
            "message": "<b>bold</b>", "lastTimestamp": "2026-01-02T23:00:00Z", "involvedObject": { "kind": "Pod", "name": "t-1" } }),
        json!({ "kind": "ResourceQuota", "metadata": { "name": "tool-t", "namespace": "tool-t" },
            "status": { "hard": { "pods": "10" }, "used": { "pods": "1" } } }),
    ] {
        example.put(&object);
    }
    example.world.read = vec!["all"; KINDS];
    example
}

fn ask(example: &Example, heard: Option<Duration>, url: &str, form: Form) -> Page {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let config = config();
    let seen = Seen {
        world: &example.world,
        config: &config,
        moment: moment(heard),
    };
    match Route::of(path, query) {
        Some((route, _)) => page(seen, &route, form),
        None => not_found(seen, form),
    }
}

fn json(url: &str) -> Value {
    let page = ask(&example(), Some(Duration::from_millis(400)), url, Form::Json);
    assert_eq!(page.status, 200, "{url}");
    serde_json::from_str(&page.body).unwrap()
}

const URLS: [&str; 10] = [
    "/",
    "/nodes/",
    "/nodes/worker-9/",
    "/namespaces/",
    "/namespaces/tool-t/",
    "/namespaces/tool-t/pods/t-1/",
    "/namespaces/tool-t/ingresses/t-subdomain/",
    "/images/",
    "/images/registry.example%2Fweb:latest/",
    "/search?q=bro",
];

#[test]
fn every_page_is_there_in_both_forms_and_keeps_secrets() {
    let example = example();
    for url in URLS {
        for form in [Form::Html, Form::Json] {
            let page = ask(&example, Some(Duration::ZERO), url, form);
            assert_eq!(page.status, 200, "{url}");
            assert!(!page.body.contains("top secret"), "{url}");
            if form == Form::Html {
                assert!(
                    !page.body.contains("Ada <script>") && !page.body.contains("<b>"),
                    "{url} escapes what others wrote"
                );
                assert_eq!(page.body.matches("<h1>").count(), 1, "{url}");
            }
        }
    }
}

#[test]
fn pages_of_an_empty_cluster_are_there_too() {
    let empty = Example::default();
    for url in [
        "/",
        "/nodes/",
        "/namespaces/",
        "/images/",
        "/search?q=x",
        "/search",
    ] {
        let page = ask(&empty, None, url, Form::Html);
        assert_eq!(page.status, 200, "{url}");
        assert!(page.body.contains("has not been heard of yet"), "{url}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    for url in [
        "/namespaces/tool-x/",
        "/namespaces/tool-t/pods/x/",
        "/namespaces/tool-t/ingresses/x/",
        "/nodes/x/",
        "/images/x/",
        "/x",
    ] {
        assert_eq!(ask(&example(), None, url, Form::Html).status, 404, "{url}");
    }
}

#[test]
fn an_api_that_is_silent_is_told() {
    let example = example();
    let body = |heard| {
        ask(
            &example,
            Some(Duration::from_secs(heard)),
            "/namespaces/tool-t/",
            Form::Html,
        )
        .body
    };
    assert!(!body(1).contains("Not up to date"));
    assert!(body(90).contains("has not answered for 1m 30s"));
    assert!(
        body(90).contains("Up: 1 replica answers."),
        "what was last known stays"
    );
}

#[test]
fn the_page_of_a_tool_begins_with_the_verdict() {
    let tool = json("/namespaces/tool-t/");
    assert_eq!(
        tool["verdict"],
        json!({ "standing": "up", "sentence": "Up: 1 replica answers." })
    );
    assert_eq!(tool["url"], "https://t.toolforge.org/");
    assert_eq!(
        tool["links"],
        json!([{ "label": "SAL", "url": "https://sal.example/tools.t" }])
    );
    assert_eq!(tool["quotas"][0]["lines"][0]["percent"], 10);
    assert_eq!(
        tool["pods"][0]["containers"][0]["environment"],
        json!(["PASSWORD"])
    );
    let platform = json("/namespaces/kube-system/");
    assert_eq!(
        (&platform["verdict"], &platform["url"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn the_front_page_names_tools_in_trouble() {
    let front = json("/");
    assert_eq!(
        (
            &front["tools"],
            &front["toolsActive"],
            &front["toolsUp"],
            &front["toolsDown"]
        ),
        (&json!(3), &json!(2), &json!(1), &json!(1))
    );
    assert_eq!(front["troubles"][0]["tool"], "broken");
    assert_eq!(
        (&front["cpu"]["used"], &front["cpu"]["total"]),
        (&Value::Null, &json!(8000)),
        "nothing measures"
    );
    let nodes = json("/nodes/");
    assert_eq!(
        nodes["nodes"][0]["name"], "worker-9",
        "numbers in the order of people"
    );
}

#[test]
fn search_finds_tools_by_name_and_by_maintainer() {
    let found = |text: &str| {
        let found = json(&format!("/search?q={text}"));
        found["found"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("QUI"), ["tool-quiet"]);
    assert_eq!(found("ada"), ["tool-t"]);
    assert_eq!(
        found("t"),
        ["tool-t", "kube-system", "tool-broken", "tool-quiet"],
        "the very name first"
    );
    assert!(found("").is_empty());
}
