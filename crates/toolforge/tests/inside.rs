//! Programs in Pods that use the API by what is mounted for them: token, authority and namespace.

use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const IMAGE: &str = "docker-registry.tools.wmflabs.org/toolforge-static-sssd-web:latest";

/// Asks for the Pods of its namespace with the mounted token, then with each token in `OTHERS`; prints the codes.
const CLIENT: &str = r#"
import os, ssl, urllib.request, urllib.error
mounted = "/var/run/secrets/kubernetes.io/serviceaccount/"
read = lambda name: open(mounted + name).read()
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
url = f"https://{host}:{port}/api/v1/namespaces/{read('namespace')}/pods"
trust = ssl.create_default_context(cafile=mounted + "ca.crt")
def ask(token):
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    try:
        with urllib.request.urlopen(request, context=trust) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code
try:
    open(mounted + "token", "a")
    print("writable")
except OSError:
    pass
print(*[ask(token) for token in [read("token"), *os.environ.get("OTHERS", "").split()]])
"#;

fn pod(name: &str, spec: &Value, container: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": IMAGE }] },
    });
    merge(&mut pod["spec"], spec);
    merge(&mut pod["spec"]["containers"][0], container);
    pod
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

/// Runs a Pod to its good end and gives what it said; as a tool where one is named.
fn run(scratch: &Scratch, tool: Option<&str>, pod: &Value) -> String {
    let kubectl = |arguments: &[&str]| -> Outcome {
        match tool {
            Some(tool) => scratch.kubectl_as(tool, arguments),
            None => scratch.kubectl(arguments),
        }
    };
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let file = scratch.path().join("pod.json");
    std::fs::write(&file, pod.to_string()).expect("the scratch folder can be written");
    kubectl(&["create", "-f", &file.to_string_lossy()]).ok();
    let ended = kubectl(&[
        "wait",
        "--for=jsonpath={.status.phase}=Succeeded",
        &format!("pod/{name}"),
        "--timeout=60s",
    ]);
    let told = kubectl(&["describe", "pod", name]).stdout;
    assert_eq!(ended.code, 0, "{}\n{told}", ended.stderr);
    kubectl(&["logs", name]).ok()
}

fn client(name: &str, account: &str, others: &str) -> Value {
    let env = json!([{ "name": "OTHERS", "value": others }]);
    pod(
        name,
        &json!({ "serviceAccountName": account, "securityContext": { "runAsUser": 51_236 } }),
        &json!({ "command": ["python3", "-c", CLIENT], "env": env }),
    )
}

fn is_root() -> bool {
    let root = Outcome::of(std::process::Command::new("id").arg("-u"))
        .ok()
        .trim()
        == "0";
    if !root {
        println!("skipped: mounting and changing users need root");
    }
    root
}

#[test]
fn a_program_uses_the_api_as_its_account() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let kubectl = |arguments: &[&str]| scratch.kubectl(arguments).ok();
    kubectl(&["create", "serviceaccount", "reader"]);
    kubectl(&["create", "role", "reader", "--verb=list", "--resource=pods"]);
    let binding = ["create", "rolebinding", "reader", "--role=reader"];
    kubectl(&[&binding[..], &["--serviceaccount=default:reader"]].concat());

    let token = |arguments: &[&str]| kubectl(&[&["create", "token", "reader"], arguments].concat());
    kubectl(&["create", "secret", "generic", "bond"]);
    let good = token(&[]);
    let ended = token(&["--bound-object-kind=Secret", "--bound-object-name=bond"]);
    kubectl(&["delete", "secret", "bond"]);
    let elsewhere = token(&["--audience=elsewhere"]);
    let forged = good.trim().trim_end_matches(|last| last != '.');
    let others = format!("{good} {ended} {elsewhere} {forged}AAAA");

    assert_eq!(
        run(&scratch, None, &client("granted", "reader", &others)),
        "200 200 401 401 401\n"
    );
    assert_eq!(run(&scratch, None, &client("refused", "default", "")), "403\n");
}

#[test]
fn a_tool_has_a_token_when_it_asks() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::new(PROGRAM);
    let _platform = scratch.start(&[]);
    let names = "jsonpath={.spec.automountServiceAccountToken} {.spec.volumes[*].name}";
    let volumes = |name: &str| {
        scratch
            .kubectl_as("hello", &["get", "pod", name, "-o", names])
            .ok()
    };

    let command = json!({ "command": ["true"] });
    run(&scratch, Some("hello"), &pod("without", &json!({}), &command));
    assert_eq!(volumes("without"), "false ");
    let asks = json!({ "automountServiceAccountToken": true });
    let command = json!({ "command": ["python3", "-c", CLIENT] });
    assert_eq!(
        run(&scratch, Some("hello"), &pod("with", &asks, &command)),
        "403\n"
    );
    assert!(
        volumes("with").starts_with("true kube-api-access-"),
        "{}",
        volumes("with")
    );
}

#[test]
fn without_root_a_pod_does_without_its_token() {
    if !is_root() {
        return;
    }
    let scratch = Scratch::for_user(PROGRAM, 1234);
    let _platform = scratch.start(&[]);
    let command = json!({ "command": ["sh", "-c", "echo started"] });
    assert_eq!(
        run(&scratch, None, &pod("plain", &json!({}), &command)),
        "started\n"
    );
    let name = ["get", "pod", "plain", "-o", "jsonpath={.spec.volumes[0].name}"];
    let name = scratch.kubectl(&name).ok();
    assert!(name.starts_with("kube-api-access-"), "{name}");
}
