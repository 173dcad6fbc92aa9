//! What operators ask of the gateway: what is served, where a URL goes, and why it does not get there.

use std::net::Ipv4Addr;

use reqwest::StatusCode;
use toolforge_pki::Authority;
use toolforge_testkit::{Outcome, Scratch, Visitor, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

fn ask(scratch: &Scratch, arguments: &[&str]) -> Outcome {
    let arguments: Vec<&str> = ["gateway"].iter().chain(arguments).copied().collect();
    Outcome::of(&mut scratch.command(&arguments))
}

#[test]
fn a_url_is_explained_from_host_to_endpoint() {
    let scratch = Scratch::new(PROGRAM);
    let platform = scratch.start(&[]);
    let url = scratch.url("hello");

    // The file follows the gateway, not the start.
    let missing = eventually("the explanation of a URL that nobody serves", || {
        let missing = ask(&scratch, &["explain", &url]);
        if missing.code == 3 {
            Ok(missing.stdout)
        } else {
            Err(missing.stderr)
        }
    });
    assert!(
        missing.contains("No Ingress that is served names the host hello."),
        "{missing}"
    );

    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let served = eventually("the explanation of a served URL", || {
        let served = ask(&scratch, &["explain", &url]);
        if served.code == 0 {
            Ok(served.stdout)
        } else {
            Err(served.stdout)
        }
    });
    assert!(served.contains("is served."), "{served}");
    assert!(served.contains("1 of 1 endpoints that take requests"), "{served}");

    let routes = ask(&scratch, &["routes"]).ok();
    assert!(routes.starts_with("HOST"), "{routes}");
    let json = ask(&scratch, &["routes", "-o", "json"]).ok();
    let routes: serde_json::Value = serde_json::from_str(&json).unwrap();
    let hello = routes
        .as_array()
        .unwrap()
        .iter()
        .find(|route| route["namespace"] == "tool-hello")
        .unwrap_or_else(|| panic!("no route of hello in {json}"));
    assert_eq!(hello["endpoints"].as_array().unwrap().len(), 1, "{hello}");
    assert!(
        ask(&scratch, &["routes", "--failing", "--host", "nobody.example.org"])
            .ok()
            .starts_with("HOST")
    );

    // The table on disk answers without the platform as well.
    assert_eq!(platform.stop(), 0);
    assert_eq!(ask(&scratch, &["explain", &format!("{url}deep?er")]).code, 0);
    let refused = ask(&scratch, &["explain", "ftp://hello/"]).refused();
    assert!(refused.contains("serves https and http, not ftp"), "{refused}");
}

#[test]
fn a_tool_brings_its_own_certificate_with_kubectl() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let (authority, host) = (
        Authority::create("hello's own").unwrap(),
        "hello.toolforge.localhost",
    );
    let own = authority.issue_server(&[host]).unwrap();
    let file = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
    std::fs::write(file("own.crt"), &own.certificate_pem).unwrap();
    std::fs::write(file("own.key"), &own.key_pem).unwrap();
    let files = [
        format!("--cert={}", file("own.crt")),
        format!("--key={}", file("own.key")),
    ];
    let create = ["create", "secret", "tls", "own", &files[0], &files[1]];
    scratch.kubectl_as("hello", &create).ok();
    let patch = format!(r#"{{"spec":{{"tls":[{{"hosts":["{host}"],"secretName":"own"}}]}}}}"#);
    let patch = [
        "patch",
        "ingress",
        "hello-subdomain",
        "--type=merge",
        "-p",
        &patch,
    ];
    scratch.kubectl_as("hello", &patch).ok();
    // Who knows only the tool's authority believes the gateway for this host, and for no other.
    let port = scratch.port("--https-port");
    let gateway = (Ipv4Addr::LOCALHOST, port).into();
    let other = "clock.toolforge.localhost";
    let visitor = Visitor::new(authority.certificate_pem(), &[(host, gateway), (other, gateway)]);
    eventually("the tool under its own certificate", || {
        match visitor.get(&scratch.url("hello")) {
            Ok(answer) if answer.status == StatusCode::OK => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
    assert!(visitor.get(&scratch.url("clock")).is_err());
}
