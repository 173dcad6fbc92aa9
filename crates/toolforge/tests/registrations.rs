//! Webservices outside of Kubernetes on a running platform: registered with curl and the certificate in the tool's home,
//! visited, listed, explained, and still there after SIGKILL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    net::Ipv4Addr,
    process::{Command, Stdio},
};

use toolforge_testkit::{Outcome, Scratch, Visitor, eventually, free_port, webservice};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// Asks the API with curl, as the tool whose home has the certificate: the status, and what is said.
fn ask(scratch: &Scratch, tool: &str, port: u16, arguments: &[&str], path: &str) -> (String, String) {
    let credentials = scratch.home(tool).join(".toolskube");
    let host = "register.toolforge.localhost";
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--write-out",
            "\n%{http_code}",
        ])
        .args(["--resolve", &format!("{host}:{port}:127.0.0.1"), "--cacert"])
        .arg(scratch.data().join("pki/web-ca.crt"))
        .arg("--cert")
        .arg(credentials.join("client.crt"))
        .arg("--key")
        .arg(credentials.join("client.key"))
        .args(arguments)
        .arg(format!("https://{host}:{port}{path}"))
        .stdin(Stdio::null());
    let said = Outcome::of(&mut command).ok();
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.trim().to_owned(), body.to_owned())
}

fn gateway(scratch: &Scratch, arguments: &[&str]) -> Outcome {
    Outcome::of(&mut scratch.command(&[&["gateway"][..], arguments].concat()))
}

fn until_says(visitor: &Visitor, url: &str, says: &str) {
    eventually("the answer of the webservice", || match visitor.get(url) {
        Ok(answer) if answer.text.contains(says) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_webservice_outside_is_served_before_the_one_inside_and_after_sigkill() {
    let scratch = Scratch::new(PROGRAM);
    let settings = scratch.path().join("gateway.yaml");
    std::fs::write(
        &settings,
        "registrations: { destinationNetworks: [127.0.0.1/32], checkIntervalSeconds: 1 }\n",
    )
    .unwrap();
    let (settings, port, status_port) = (settings.to_string_lossy(), free_port(), free_port());
    let flags = [
        "--gateway-settings",
        &settings,
        "--register-port",
        &port.to_string(),
        "--gateway-status-port",
        &status_port.to_string(),
    ];
    let platform = scratch.start(&flags);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let (visitor, url) = (scratch.visitor(&["hello"]), scratch.url("hello"));

    let body = format!(
        r#"{{"destination": "http://127.0.0.1:{}"}}"#,
        webservice(Ipv4Addr::LOCALHOST, "from outside")
    );
    let path = "/v1/tools/hello/hosts/hello.toolforge.localhost/";
    let put = ["-X", "PUT", "-d", &body];
    let (status, said) = ask(&scratch, "hello", port, &put, path);
    assert_eq!(status, "201", "{said}");
    until_says(&visitor, &url, "from outside");
    let (status, said) = ask(&scratch, "clock", port, &put, path);
    assert_eq!(status, "403", "{said}");
    let api = format!(
        r#"{{"destination": "http://127.0.0.1:{}"}}"#,
        scratch.port("--api-port")
    );
    let (status, said) = ask(&scratch, "hello", port, &["-X", "PUT", "-d", &api], path);
    assert!(
        status == "422" && said.contains("destination/own"),
        "{status} {said}"
    );

    let seen = format!("http://127.0.0.1:{status_port}");
    let overview = visitor.get(&format!("{seen}/")).unwrap();
    assert!(overview.text.contains(r#""state":"ready""#), "{overview:?}");
    assert!(overview.text.contains(r#""name":"tool-hello""#), "{overview:?}");
    let api = format!(r#"{{"destination": "{seen}"}}"#);
    let (status, said) = ask(&scratch, "hello", port, &["-X", "PUT", "-d", &api], path);
    assert!(
        status == "422" && said.contains("destination/own"),
        "{status} {said}"
    );

    let listed = eventually("the first check", || {
        let listed = gateway(&scratch, &["registrations"]).ok();
        if listed.contains("alive") {
            Ok(listed)
        } else {
            Err(listed)
        }
    });
    assert!(listed.contains("hello.toolforge.localhost/"), "{listed}");
    let explained = eventually("the explanation", || {
        let explained = gateway(&scratch, &["explain", &url]);
        if explained.stdout.contains("leads out of Kubernetes") {
            Ok(explained.stdout)
        } else {
            Err(explained.stdout)
        }
    });
    assert!(explained.contains("goes before every Ingress"), "{explained}");

    platform.kill();
    let platform = scratch.start(&flags);
    until_says(&visitor, &url, "from outside");
    let (status, said) = ask(&scratch, "hello", port, &["-X", "DELETE"], path);
    assert_eq!(status, "204", "{said}");
    eventually("the webservice inside", || match visitor.get(&url) {
        Ok(answer) if answer.status == 200 && !answer.text.contains("from outside") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(platform.stop(), 0);
}
