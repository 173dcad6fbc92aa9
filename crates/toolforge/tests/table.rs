//! The table of adversarial cases of `toolforge-policy`, asked of a running platform through its API, as the tool itself:
//! those that fit the policy of a platform as `up` starts it. Nothing is stored, each is a dry run.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../../core/policy/tests/cases/table.rs"]
mod cases;

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use toolforge_testkit::Scratch;

use cases::{Case, Expected, Outcome, Settings, tables};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const TOOLS_NAMESPACE: &str = "tool-alpha";
/// A Pod that is there, to which containers for debugging can be added.
const RUNNING: &str = "running";

async fn client(kubeconfig: &Path) -> kube::Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    kube::Client::try_from(config).unwrap()
}

/// What `up --domain toolforge.org` judges by.
fn usual() -> Settings {
    Settings {
        domains: vec!["toolforge.org".to_owned()],
        registries: vec!["docker-registry.tools.wmflabs.org".to_owned()],
        ..Settings::default()
    }
}

fn request(case: &Case) -> http::Request<Vec<u8>> {
    let api = if case.kind.group.is_empty() {
        "/api".to_owned()
    } else {
        format!("/apis/{}", case.kind.group)
    };
    let kind = case.kind.kind.to_lowercase();
    let plural = match kind.as_str() {
        "ingress" => "ingresses",
        "endpoints" => "endpoints",
        _ => &format!("{kind}s"),
    };
    let folder = format!(
        "{api}/{}/namespaces/{}/{plural}",
        case.kind.version, case.namespace
    );
    let Some(sub) = &case.sub_resource else {
        let request = http::Request::post(format!("{folder}?dryRun=All"));
        return request
            .header("content-type", "application/json")
            .body(case.body.clone().into())
            .unwrap();
    };
    let object: Value = serde_json::from_str(&case.body).unwrap();
    let change = json!({"spec": {"ephemeralContainers": object["spec"]["ephemeralContainers"]}});
    http::Request::patch(format!("{folder}/{RUNNING}/{sub}?dryRun=All"))
        .header("content-type", "application/strategic-merge-patch+json")
        .body(change.to_string().into())
        .unwrap()
}

async fn outcome(client: &kube::Client, case: &Case) -> (u16, Outcome) {
    match client.request_text(request(case)).await {
        Ok(_) => (
            200,
            Outcome {
                allowed: true,
                ..Outcome::default()
            },
        ),
        Err(kube::Error::Api(status)) => {
            let message = status.message.clone();
            (
                status.code,
                Outcome {
                    message,
                    ..Outcome::default()
                },
            )
        }
        Err(error) => panic!("{}: {error}", case.name),
    }
}

/// The webhook by which a guard is asked.
fn webhook(guard: &str) -> &'static str {
    match guard {
        "ingress" => "admission webhook \"ingress-admission",
        "images" => "admission webhook \"registry-admission",
        "service" => "admission webhook \"service-admission",
        "volumes" => "admission webhook \"volumes-admission",
        other => panic!("no table for {other} fits a platform as it starts"),
    }
}

/// The complaint about one answer; the API's own validation and the other guards have words of their own.
fn complaint(case: &Case, file: &str, code: u16, outcome: &Outcome) -> Option<String> {
    let by_guard = outcome.message.contains(webhook(&case.guard));
    if outcome.allowed || by_guard || case.expected == Expected::Allowed && !case.api_refuses {
        return case.complaint(file, outcome);
    }
    let refused = matches!(code, 400 | 403 | 404 | 405 | 422);
    (!refused).then(|| format!("{file}: {}: answered {code} {}", case.name, outcome.message))
}

#[test]
fn every_case_has_its_verdict_through_the_api_of_a_running_platform() {
    let scratch = Scratch::new(PROGRAM);
    let directory = scratch.path().join("alpha.ldif");
    let homes = scratch.data().join("homes/tools");
    let own = include_str!("own.ldif").replace("{homes}", &homes.to_string_lossy());
    std::fs::write(&directory, own.replace("wiki-graph", "alpha")).unwrap();
    let arguments = [
        "--domain",
        "toolforge.org",
        "--ldif",
        &*directory.to_string_lossy(),
    ];
    let _platform = scratch.start(&arguments);
    let pod = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{RUNNING}"}},"spec":{{"containers":[{{"name":"web",
        "image":"docker-registry.tools.wmflabs.org/x:1","command":["sleep","600"]}}]}}}}"#
    );
    let file = scratch.path().join("pod.json");
    std::fs::write(&file, pod).unwrap();
    scratch
        .kubectl_as("alpha", &["create", "-f", &file.to_string_lossy()])
        .ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ask(&scratch));
}

async fn ask(scratch: &Scratch) {
    let tool = client(&scratch.home("alpha").join(".kube/config")).await;
    let admin = client(&scratch.data().join("admin.kubeconfig")).await;
    let mut complaints = Vec::new();
    let (mut asked, mut by_guards) = (0, 0);
    for table in tables().iter().filter(|table| table.settings == usual()) {
        for case in &table.cases {
            // The others are namespaces that are not there.
            let client = match case.namespace.as_str() {
                // To debug is for admins, and the guards do not look away for them.
                TOOLS_NAMESPACE if case.sub_resource.is_some() => &admin,
                TOOLS_NAMESPACE => &tool,
                "default" | "kube-system" => &admin,
                _ => continue,
            };
            let (code, outcome) = outcome(client, case).await;
            asked += 1;
            by_guards += usize::from(outcome.message.contains(webhook(&case.guard)));
            complaints.extend(complaint(case, table.file, code, &outcome));
        }
    }
    eprintln!("{asked} cases asked, {by_guards} refused by a guard");
    assert!(
        complaints.is_empty(),
        "{} of {asked}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert!(
        asked >= 300 && by_guards >= 200,
        "{asked} asked, {by_guards} refused by a guard"
    );
}
