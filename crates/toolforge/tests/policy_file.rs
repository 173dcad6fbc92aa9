//! The policy file, from outside: what it says is what `kubectl`, `webservice` and a visitor see of a running platform.

use reqwest::StatusCode;
use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// Nothing in it is a default.
const POLICY: &str = "
registries: [docker-registry.tools.wmflabs.org, other.example/team]
digestsRequiredIn: [other.example/team]
ingressClass: edge
safeNamespaces: {images: [kube-system, free]}
podSecurity: {allNamespaces: true}
";

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Creates an object as far as the API asks anybody about it.
fn try_out(scratch: &Scratch, object: &Value, run: impl Fn(&[&str]) -> Outcome) -> Outcome {
    let file = scratch.path().join("object.json");
    std::fs::write(&file, object.to_string()).expect("the scratch folder can be written");
    let file = file.to_string_lossy();
    run(&["create", "--dry-run=server", "-o", "json", "-f", &file])
}

fn pod(image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "mine" },
        "spec": { "containers": [{ "name": "main", "image": image }], "automountServiceAccountToken": false },
    })
}

fn ingress(class: Option<&str>) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "mine" },
        "spec": { "ingressClassName": class, "rules": [{ "host": "hello.toolforge.localhost", "http": { "paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": { "service": { "name": "hello", "port": { "number": 8000 } } },
        }] } }] },
    })
}

#[test]
fn what_the_policy_file_says_holds_for_everybody_who_writes() {
    let scratch = Scratch::new(PROGRAM);
    assert_eq!(scratch.start(&[]).stop(), 0);
    let file = scratch.path().join("policy.yaml");
    std::fs::write(&file, POLICY).expect("the scratch folder can be written");
    let _platform = scratch.start(&["--policy", &file.to_string_lossy()]);

    images(&scratch);
    safe_namespaces_and_all_others(&scratch);
    ingress_class(&scratch);
}

fn images(scratch: &Scratch) {
    let hello = |arguments: &[&str]| scratch.kubectl_as("hello", arguments);
    let try_image = |image: &str| try_out(scratch, &pod(image), hello);
    try_image("docker-registry.tools.wmflabs.org/x:1").ok();
    try_image(&format!("other.example/team/x@{DIGEST}")).ok();
    for (image, words) in [
        (
            "other.example/team/x:1",
            "spec.containers[0].image is \"other.example/team/x:1\"",
        ),
        (
            "other.example/x:1",
            "(docker-registry.tools.wmflabs.org, other.example/team)",
        ),
    ] {
        let refused = try_image(image).refused();
        assert!(refused.contains(words), "{refused}");
    }
}

/// The registry guard looks away in `free`; the Pod security guard stands before both.
fn safe_namespaces_and_all_others(scratch: &Scratch) {
    let admin = |arguments: &[&str]| scratch.kubectl(arguments);
    for namespace in ["free", "plain"] {
        admin(&["create", "namespace", namespace]).ok();
        admin(&[
            "create",
            "rolebinding",
            "bob",
            "-n",
            namespace,
            "--clusterrole=edit",
            "--user=bob",
        ])
        .ok();
    }
    let by = |who: &[&str], namespace: &str, image: &str| {
        let run = |arguments: &[&str]| admin(&[arguments, &["-n", namespace], who].concat());
        try_out(scratch, &pod(image), run)
    };
    by(&[], "free", "nginx").ok();
    let refused = by(&[], "plain", "nginx").refused();
    assert!(
        refused.contains("did not match any of the allowed registries"),
        "{refused}"
    );

    let bob = &["--as=bob", "--as-group=system:authenticated"];
    let refused = by(bob, "free", "nginx").refused();
    assert!(
        refused.contains("neither user \"bob\" nor service account \"default\" may use any"),
        "{refused}"
    );
    admin(&[
        "create",
        "rolebinding",
        "psp",
        "-n",
        "free",
        "--clusterrole=default-psp",
        "--user=bob",
    ])
    .ok();
    let made = by(bob, "free", "nginx").ok();
    let made: Value = serde_json::from_str(&made).expect("kubectl prints JSON");
    assert_eq!(made["metadata"]["annotations"]["kubernetes.io/psp"], "default");
    assert_eq!(
        made["spec"]["containers"][0]["securityContext"]["runAsNonRoot"],
        true
    );
}

/// From the file to the class, the guard, the maintainer's command and the gateway.
fn ingress_class(scratch: &Scratch) {
    let default = r"jsonpath={range .items[*]}{.metadata.name}={.metadata.annotations.ingressclass\.kubernetes\.io/is-default-class},{end}";
    let classes = scratch.kubectl(&["get", "ingressclasses", "-o", default]).ok();
    assert_eq!(classes, "edge=true,toolforge=,", "the former class is no default");
    let hello = |arguments: &[&str]| scratch.kubectl_as("hello", arguments);
    try_out(scratch, &ingress(Some("edge")), hello).ok();
    try_out(scratch, &ingress(None), hello).ok();
    let refused = try_out(scratch, &ingress(Some("toolforge")), hello).refused();
    assert!(
        refused.contains("spec.ingressClassName is \"toolforge\"") && refused.contains("edge"),
        "{refused}"
    );

    scratch.as_tool("hello", &["webservice", "static", "start"]).ok();
    let made = hello(&[
        "get",
        "ingress",
        "-o",
        "jsonpath={.items[*].spec.ingressClassName}",
    ])
    .ok();
    assert_eq!(made, "edge");
    let visitor = scratch.visitor(&["hello"]);
    let page = visitor.get(&scratch.url("hello")).expect("the gateway answers");
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
}
