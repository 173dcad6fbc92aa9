//! What operators ask of the gateway: what is served, where a URL goes, and why it does not get there.

use toolforge_testkit::{Outcome, Scratch, eventually};

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
