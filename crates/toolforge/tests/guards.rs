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

    // Nobody gets out of the guards' reach by the labels of their namespace.
    scratch
        .kubectl_as("hello", &["label", "namespace", "tool-hello", "tenancy-"])
        .refused();

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

/// The verdict of `toolforge check` with the platform's own policy and the tool's account: whether the object is
/// allowed, and what is said about it.
fn foretold(scratch: &Scratch, tool: &str, object: &Value) -> (bool, String) {
    let file = scratch.path().join("foretold.json");
    std::fs::write(&file, object.to_string()).expect("the scratch folder can be written");
    let kubeconfig = scratch.home(tool).join(".kube/config");
    let mut check = scratch.command(&["check", "--from-platform", "--as-tool", tool, "-o", "json", "-f"]);
    let outcome = Outcome::of(check.arg(&file).arg("--kubeconfig").arg(&kubeconfig));
    assert!(matches!(outcome.code, 0 | 1), "{}", outcome.stderr);
    let json: Value = serde_json::from_str(&outcome.stdout).expect("check prints JSON");
    (outcome.code == 0, json[0]["offences"].to_string())
}

#[test]
fn check_foretells_what_the_webhooks_say() {
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let internal = "docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest";
    let mut class = ingress("hello.toolforge.localhost");
    class["metadata"]["annotations"] = json!({"nginx.ingress.kubernetes.io/server-alias": "x"});
    let service = |spec: &Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine"}, "spec": spec});
    let deployment = |image: &str| {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": pod(image, &json!({}))["spec"]});
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mine"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
        })
    };
    let mut host = pod(internal, &json!({}));
    host["spec"]["volumes"] = json!([{"name": "x", "hostPath": {"path": "/etc"}}]);
    host["spec"]["hostNetwork"] = json!(true);
    let own = json!({"runAsUser": uid_of(&scratch, "hello")});
    for (object, rule) in [
        (ingress("hello.toolforge.localhost"), None),
        (ingress("clock.toolforge.localhost"), Some("ingress/host")),
        (class, Some("ingress/annotation")),
        (pod(internal, &json!({})), None),
        (pod(internal, &own), None),
        (pod("nginx", &json!({})), Some("images/registry")),
        (pod(internal, &json!({"runAsUser": 0})), Some("pod/")),
        (pod(internal, &json!({"privileged": true})), Some("pod/")),
        (host, Some("pod/")),
        (service(&json!({"ports": [{"port": 80}]})), None),
        (
            service(&json!({"type": "NodePort", "ports": [{"port": 80}]})),
            Some("service/type"),
        ),
        (deployment(internal), None),
        (deployment("docker.io/x"), Some("images/registry")),
    ] {
        let (allowed, offences) = foretold(&scratch, "hello", &object);
        assert_eq!(allowed, rule.is_none(), "{offences} of {object}");
        assert!(
            rule.is_none_or(|rule| offences.contains(rule)),
            "{offences} of {object}"
        );
        let file = scratch.path().join("object.json");
        std::fs::write(&file, object.to_string()).expect("the scratch folder can be written");
        let file = file.to_string_lossy();
        let applied = scratch.kubectl_as("hello", &["create", "--dry-run=server", "-f", &file]);
        assert_eq!(applied.code == 0, allowed, "{} of {object}", applied.stderr);
        let denied = applied.stderr.contains("denied the request");
        assert_eq!(denied, !allowed, "{} of {object}", applied.stderr);
    }
    let mut explain = scratch.command(&[
        "policy",
        "explain",
        "--from-platform",
        "--as-tool",
        "hello",
        "--kubeconfig",
    ]);
    let words = Outcome::of(explain.arg(scratch.home("hello").join(".kube/config"))).ok();
    assert!(
        words.contains("hello.toolforge.localhost") && words.contains(&uid_of(&scratch, "hello").to_string()),
        "{words}"
    );
}

/// The user id of a tool.
fn uid_of(scratch: &Scratch, tool: &str) -> u32 {
    let namespace = format!("tool-{tool}");
    let template = r"jsonpath={.metadata.annotations.toolforge\.org/uid}";
    let uid = scratch
        .kubectl(&["get", "namespace", &namespace, "-o", template])
        .ok();
    uid.parse().expect("the account service writes a number")
}
