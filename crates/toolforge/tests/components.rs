//! Components as commands of their own: with nothing but a kubeconfig they do beside the platform what they
//! do inside it, as they would on a cluster.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Stdio},
};

use reqwest::StatusCode;
use toolforge_pki::Authority;
use toolforge_testkit::{Outcome, Scratch, Visitor, eventually, free_port};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// A component that runs; ended when dropped.
struct Component(Child);

impl Drop for Component {
    fn drop(&mut self) {
        // It may have ended already, which the test then sees in other ways.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(scratch: &Scratch, arguments: &[&str]) -> Component {
    let kubeconfig = scratch.data().join("admin.kubeconfig");
    let mut command = scratch.command(arguments);
    Component(
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    )
}

#[test]
fn gateway_and_pages_work_with_a_kubeconfig_alone() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let domain = ["--domain", "toolforge.localhost"];

    let authority = Authority::create("somebody's own").unwrap();
    let identity = authority.issue_server(&["*.toolforge.localhost"]).unwrap();
    let (certificate, key) = (scratch.path().join("tls.crt"), scratch.path().join("tls.key"));
    std::fs::write(&certificate, &identity.certificate_pem).unwrap();
    std::fs::write(&key, &identity.key_pem).unwrap();
    let (certificate, key) = (certificate.to_string_lossy(), key.to_string_lossy());
    let table = scratch.path().join("second-table.json");
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let arguments = [
        &[
            "gateway",
            "--https",
            &address,
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
        ][..],
        &["--table", &table.to_string_lossy()],
        &domain,
    ];
    let _gateway = run(&scratch, &arguments.concat());
    let gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let visitor = Visitor::new(
        authority.certificate_pem(),
        &[("hello.toolforge.localhost", gateway)],
    );
    let url = format!("https://hello.toolforge.localhost:{port}/");
    eventually("the tool through a second gateway", || match visitor.get(&url) {
        Ok(answer) if answer.status == StatusCode::OK => Ok(()),
        other => Err(format!("{other:?}")),
    });

    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let _pages = run(
        &scratch,
        &[&["fourohfour", "--listen", &address][..], &domain].concat(),
    );
    let hosts = [
        ("clock.toolforge.localhost", gateway),
        ("nothing.toolforge.localhost", gateway),
    ];
    let visitor = Visitor::new(authority.certificate_pem(), &hosts);
    eventually("the page of a tool without a webservice", || {
        match visitor.get(&format!("http://clock.toolforge.localhost:{port}/")) {
            Ok(answer) if answer.text.contains("Katherine Johnson") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let unknown = visitor
        .get(&format!("http://nothing.toolforge.localhost:{port}/"))
        .unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

/// As the manager that `up` is, so that what differs between one machine and a cluster is replaced.
const APPLY: &str = "apply --server-side --force-conflicts --field-manager=toolforge --validate=strict";

/// What `toolforge manifests` prints with these options, in a file.
fn manifests(scratch: &Scratch, name: &str, options: &[&str]) -> String {
    let arguments = [&["manifests", "--domain", "toolforge.localhost"], options].concat();
    let printed = Outcome::of(&mut scratch.command(&arguments)).ok();
    let file = scratch.path().join(name);
    std::fs::write(&file, printed).unwrap();
    file.to_string_lossy().into_owned()
}

fn apply(scratch: &Scratch, options: &[&str], file: &str) -> Outcome {
    let words: Vec<&str> = APPLY.split(' ').collect();
    scratch.kubectl(&[&words[..], options, &["-f", file]].concat())
}

#[test]
fn manifests_are_what_a_cluster_takes() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let dry = ["--dry-run=server"];
    let authority = scratch.data().join("pki/cluster-ca.crt");
    let authority = authority.to_string_lossy();
    let directory = scratch.path().join("directory.yaml");
    std::fs::write(&directory, "urls: [ldaps://ldap.example]\nbase: dc=example\n").unwrap();
    let overrides = scratch.path().join("overrides.yaml");
    std::fs::write(&overrides, "tools: { alpha: { quota: { pods: 20 } } }\n").unwrap();
    let image = [
        "--image",
        "r.example/toolforge:1",
        "--directory",
        &directory.to_string_lossy(),
        "--overrides",
        &overrides.to_string_lossy(),
    ];
    let files = [&image[..], &["--webhook-ca", &authority]].concat();
    let ground = manifests(&scratch, "ground.json", &["--definitions"]);
    let all = manifests(&scratch, "all.json", &image);
    let with_files = manifests(&scratch, "files.json", &files);

    // A cluster that does not know the kind yet: two commands, in this order.
    let definition = "crd/podsecuritypolicies.policy.toolforge.org";
    scratch.kubectl(&["delete", definition, "--timeout=60s"]).ok();
    // In the words of kubectl, or of the API where kubectl remembers the kind.
    apply(&scratch, &dry, &all).refused();
    apply(&scratch, &[], &ground).ok();
    let wait = ["wait", "--for=condition=established", "--timeout=60s", definition];
    scratch.kubectl(&wait).ok();
    let applied = apply(&scratch, &dry, &all).ok();
    for object in [
        "clusterrole.rbac.authorization.k8s.io/tools-user",
        "ingressclass.networking.k8s.io/toolforge",
        "podsecuritypolicy.policy.toolforge.org/default",
        "serviceaccount/admission",
        "configmap/overrides",
        "deployment.apps/admission",
        "deployment.apps/accounts",
        "deployment.apps/gateway",
        "deployment.apps/fourohfour",
        "poddisruptionbudget.policy/admission",
        "service/fourohfour",
        "validatingwebhookconfiguration.admissionregistration.k8s.io/toolforge-admission",
    ] {
        assert!(applied.contains(object), "{object} in {applied}");
    }
    apply(&scratch, &dry, &with_files).ok();
}
