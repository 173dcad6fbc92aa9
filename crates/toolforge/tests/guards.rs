//! The guards, from outside: what a tool may not have is refused by webhooks that the API calls over HTTPS,
//! with a reason.

use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// Creates an object as a tool.
fn create(scratch: &Scratch, tool: &str, object: &Value) -> Outcome {
    let file = scratch.path().join("object.json");
    std::fs::write(&file, object.to_string()).expect("the scratch folder can be written");
    scratch.kubectl_as(tool, &["create", "-f", &file.to_string_lossy()])
}

fn ingress(host: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": "mine" },
        "spec": { "rules": [{ "host": host, "http": { "paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": { "service": { "name": "hello", "port": { "number": 8000 } } },
        }] } }] },
    })
}

fn pod(image: &str, security: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "mine" },
        "spec": { "containers": [{
            "name": "main", "image": image, "command": ["sleep", "600"], "securityContext": security,
        }] },
    })
}

#[test]
fn what_a_tool_may_not_have_is_refused_with_a_reason() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let internal = "docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest";

    let hooks = scratch
        .kubectl(&["get", "validatingwebhookconfigurations", "-o", "yaml"])
        .ok();
    assert!(
        hooks.contains("https://127.0.0.1:") && hooks.contains("failurePolicy: Fail"),
        "{hooks}"
    );

    for host in [
        "clock.toolforge.localhost",
        "hello.toolforge.localhost.evil.com",
        "*.toolforge.localhost",
    ] {
        let refused = create(&scratch, "hello", &ingress(host)).refused();
        assert!(
            refused.contains("denied the request") && refused.contains("hello.toolforge.localhost"),
            "{refused}"
        );
    }
    create(&scratch, "hello", &ingress("hello.toolforge.localhost")).ok();

    let foreign = create(&scratch, "hello", &pod("docker.io/library/nginx", &json!({}))).refused();
    assert!(
        foreign.contains("denied the request") && foreign.contains("nginx"),
        "{foreign}"
    );
    let root = create(&scratch, "hello", &pod(internal, &json!({ "runAsUser": 0 }))).refused();
    assert!(
        root.contains("denied the request") && root.contains("runAsUser"),
        "{root}"
    );
    create(&scratch, "hello", &pod(internal, &json!({}))).ok();
}

#[test]
fn quota_and_limits_hold() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let service = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": { "ports": [{ "port": 80 }] },
        })
    };
    create(&scratch, "hello", &service("first")).ok();
    let second = create(&scratch, "hello", &service("second")).refused();
    assert!(second.contains("exceeded quota: tool-hello"), "{second}");
    let mut large = pod("docker-registry.tools.wmflabs.org/x", &json!({}));
    large["spec"]["containers"][0]["resources"] = json!({ "limits": { "memory": "5Gi" } });
    let refused = create(&scratch, "hello", &large).refused();
    assert!(
        refused.contains("maximum memory usage per Container is 4Gi, but limit is 5Gi"),
        "{refused}"
    );
}
