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

use cases::{Case, Expected, Outcome, Table, tables};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const TOOLS_NAMESPACE: &str = "tool-alpha";
/// The id that the cases know it by.
const TOOLS_ID: &str = "52001";
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
        "endpoints" => "admission webhook \"endpoints-admission",
        "pod" => "admission webhook \"pod-admission",
        _ => "admission webhook \"volumes-admission",
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

/// What came of the cases asked of one platform.
#[derive(Default)]
struct Sum {
    complaints: Vec<String>,
    asked: usize,
    by_guards: usize,
}

/// Starts a platform under the policy of these tables and asks it their cases.
fn ask_platform(tables: &[Table], sum: &mut Sum) {
    let scratch = Scratch::new(PROGRAM);
    let directory = scratch.path().join("alpha.ldif");
    let homes = scratch.data().join("homes/tools");
    let own = include_str!("own.ldif").replace("{homes}", &homes.to_string_lossy());
    std::fs::write(
        &directory,
        own.replace("wiki-graph", "alpha").replace("51001", TOOLS_ID),
    )
    .unwrap();
    let policy = scratch.path().join("policy.json");
    std::fs::write(&policy, serde_json::to_string(&tables[0].settings).unwrap()).unwrap();
    let (directory, policy) = (directory.to_string_lossy(), policy.to_string_lossy());
    let _platform = scratch.start(&["--policy", &*policy, "--ldif", &*directory]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": RUNNING}, "spec": {"containers": [
        {"name": "web", "image": "docker-registry.tools.wmflabs.org/x:1", "command": ["sleep", "600"]},
    ]}});
    let file = scratch.path().join("pod.json");
    std::fs::write(&file, pod.to_string()).unwrap();
    scratch
        .kubectl_as("alpha", &["create", "-f", &file.to_string_lossy()])
        .ok();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(ask(&scratch, tables, sum));
}

async fn ask(scratch: &Scratch, tables: &[Table], sum: &mut Sum) {
    let tool = client(&scratch.home("alpha").join(".kube/config")).await;
    let admin = client(&scratch.data().join("admin.kubeconfig")).await;
    for (table, case) in tables
        .iter()
        .flat_map(|table| table.cases.iter().map(move |case| (table, case)))
    {
        // The others are namespaces that are not there, and users who do not ask through a kubeconfig.
        let client = match case.namespace.as_str() {
            // An operator may use every Pod security policy; for the other guards it is no matter who debugs.
            TOOLS_NAMESPACE if case.sub_resource.is_some() && case.guard != "pod" => &admin,
            TOOLS_NAMESPACE if case.writer == "alpha" => &tool,
            "default" | "kube-system" => &admin,
            _ => continue,
        };
        let (code, outcome) = outcome(client, case).await;
        sum.asked += 1;
        sum.by_guards += usize::from(outcome.message.contains(webhook(&case.guard)));
        sum.complaints.extend(complaint(case, table.file, code, &outcome));
    }
}

#[test]
fn every_case_has_its_verdict_through_the_api_of_a_running_platform() {
    let mut rest = tables();
    let mut sum = Sum::default();
    while let Some(first) = rest.first() {
        let settings = first.settings.clone();
        let (same, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|table| table.settings == settings);
        ask_platform(&same, &mut sum);
        rest = others;
    }
    let Sum {
        complaints,
        asked,
        by_guards,
    } = sum;
    eprintln!("{asked} cases asked, {by_guards} refused by the guard that they are about");
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
