//! What operators ask of the gateway: what is served, where a URL goes, and why it does not get there.

use std::net::Ipv4Addr;

use reqwest::StatusCode;
use toolforge_pki::Authority;
use toolforge_testkit::{Outcome, Scratch, Visitor, eventually, free_port};

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
    // The gateway has answered for itself; its file follows.
    eventually("the route with its endpoint in the file", || {
        let json = ask(&scratch, &["routes", "-o", "json"]).ok();
        let routes: serde_json::Value = serde_json::from_str(&json).unwrap();
        let mut routes = routes.as_array().unwrap().iter();
        let hello = routes.find(|route| route["namespace"] == "tool-hello");
        match hello.and_then(|hello| hello["endpoints"].as_array()) {
            Some(endpoints) if endpoints.len() == 1 => Ok(()),
            _ => Err(json),
        }
    });
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

/// What the gateway alone knows, and what Events say, of objects that a tool made itself.
#[test]
fn the_running_gateway_says_what_it_knows_of_endpoints_and_ingresses() {
    let (scratch, status_port) = (Scratch::new(PROGRAM), free_port().to_string());
    let platform = scratch.start(&["--gateway-status-port", &status_port]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let (visitor, url) = (scratch.visitor(&["hello"]), scratch.url("hello"));
    let explained = |word: &str| {
        eventually(word, || {
            let explained = ask(&scratch, &["explain", &url]);
            let has_word = explained.stdout.contains(word);
            if has_word {
                Ok(explained)
            } else {
                Err(explained.stdout)
            }
        })
    };
    let served = explained("takes requests");
    let share =
        "The tool has 0 of 1000 requests under way, 0 of 100 that wait, and 0 of 5000 upgraded connections.";
    assert!(served.stdout.contains(share), "{served:?}");
    assert_eq!(served.stderr, "");

    // A younger Ingress for the same path, and a port where nobody listens, over HTTP/2.
    let objects = r#"{"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "younger"}, "spec": {"ingressClassName": "toolforge", "rules": [
                {"host": "hello.toolforge.localhost", "http": {"paths": [{"path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": "hello", "port": {"number": 80}}}}]}}]}},
            {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "deaf"}, "spec": {"ingressClassName": "toolforge", "rules": [
                {"host": "hello.toolforge.localhost", "http": {"paths": [{"path": "/deaf", "pathType": "Prefix",
                    "backend": {"service": {"name": "hello", "port": {"number": 80}}}}]}}]}}]}"#;
    let port = r#"[{"op": "add", "path": "/spec/ports/-", "value": {"name": "deaf", "port": 80, "appProtocol": "kubernetes.io/h2c"}}]"#;
    let patch = [
        "patch",
        "service",
        "hello",
        "-n",
        "tool-hello",
        "--type=json",
        "-p",
        port,
    ];
    scratch.kubectl(&patch).ok();
    let file = scratch.path().join("objects.json");
    std::fs::write(&file, objects).unwrap();
    let file = file.to_string_lossy();
    scratch.kubectl(&["apply", "-n", "tool-hello", "-f", &file]).ok();
    let said = explained("NotServed: Not served, since older Ingresses have all of its paths").stdout;
    assert!(
        said.contains("hello.toolforge.localhost/ is that of hello-subdomain"),
        "{said}"
    );
    // The gateway has answered for itself; its file follows.
    let listed = |arguments: &[&str], words: [&str; 2]| {
        eventually("the list out of the file", || {
            let listed = ask(&scratch, arguments).ok();
            let has_words = words.iter().all(|word| listed.contains(word));
            if has_words { Ok(()) } else { Err(listed) }
        });
    };
    listed(&["routes", "--not-served"], ["younger", "NotServed"]);
    let deaf = format!("{url}deaf");
    eventually("the gateway that passes the endpoint over", || {
        // Whoever visits finds that nobody listens there.
        let _ = visitor.get(&deaf);
        let explained = ask(&scratch, &["explain", &deaf]);
        let said = explained.stdout;
        if said.contains("is passed over")
            && said.contains("it takes no connection")
            && said.contains("(h2c)")
        {
            Ok(())
        } else {
            Err(said)
        }
    });
    let json = ask(&scratch, &["explain", &deaf, "-o", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["route"]["protocol"], &json["now"]["gateway"]),
        (&"h2c".into(), &"ready".into())
    );
    listed(&["routes"], ["hello:80 (h2c)", "/deaf"]);

    // Without the gateway its table answers, and says that it is the table.
    assert_eq!(platform.stop(), 0);
    let alone = ask(&scratch, &["explain", &url]);
    assert!(
        alone.code == 0 && alone.stdout.contains("is served."),
        "{alone:?}"
    );
    assert!(
        alone.stderr.contains("it cannot be asked at 127.0.0.1:"),
        "{alone:?}"
    );
    let asked = ask(&scratch, &["explain", &url, "--status", "127.0.0.1:1"]).refused();
    assert!(
        asked.contains("--status: the gateway at 127.0.0.1:1 cannot be asked"),
        "{asked}"
    );
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
