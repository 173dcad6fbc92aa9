//! The table of adversarial cases of `toolforge-policy`, asked of a running platform with `kubectl`: as the tool itself; in other
//! namespaces, which are made for it, as an operator; and as the other users that cases name, who may do everything but what
//! the guards refuse. Nothing of a case is stored, each is a dry run.
//!
//! What is refused is asked three times: as a new object (`create`), as a change of one that is there (`replace`), and by
//! server-side apply.

#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "table/ask.rs"]
mod ask;
#[path = "../../core/policy/tests/cases/table.rs"]
mod cases;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use toolforge_testkit::{Outcome, Scratch};

use ask::{Answer, Asked, Way};
use cases::{Case, Expected, Table, bases, tables};

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");
const TOOL: &str = "alpha";
const TOOLS_NAMESPACE: &str = "tool-alpha";
/// The id that the cases know it by.
const TOOLS_ID: &str = "52001";
/// A Pod that is there, to which containers for debugging can be added.
const RUNNING: &str = "running";
/// How many `kubectl` run at once: who is refused for their Pods waits for a look at the API, and shares it.
const AT_ONCE: usize = 8;

/// The webhook by which a guard is asked.
fn webhook(guard: &str) -> String {
    let name = match guard {
        "images" => "registry",
        other => other,
    };
    format!("admission webhook \"{name}-admission")
}

/// The complaint about one answer; the API's own validation and the other guards have words of their own.
fn complaint(asked: &Asked<'_>, answer: &Answer) -> Option<String> {
    let Asked { file, case, way, .. } = asked;
    let outcome = answer.outcome();
    let by_guard = outcome.message.contains(&webhook(&case.guard));
    let own_words = by_guard && *way == Way::Create;
    let should_pass = case.expected == Expected::Allowed && !case.api_refuses;
    if outcome.allowed || own_words || should_pass {
        return case
            .complaint(file, &outcome)
            .map(|text| format!("{way:?}: {text}"));
    }
    (!answer.is_refusal()).then(|| format!("{way:?}: {file}: {}: answered {answer:?}", case.name))
}

/// What came of the cases asked of the platforms.
#[derive(Default)]
struct Sum {
    complaints: Vec<String>,
    asked: usize,
    refused: usize,
    by_guards: usize,
}

/// Starts a platform under the policy of these tables and asks it their cases.
fn ask_platform(tables: &[Table], sum: &mut Sum) {
    let scratch = Scratch::new(PROGRAM);
    let directory = scratch.path().join("alpha.ldif");
    let homes = scratch.data().join("homes/tools");
    let own = include_str!("own.ldif").replace("{homes}", &homes.to_string_lossy());
    write(
        &directory,
        &own.replace("wiki-graph", TOOL).replace("51001", TOOLS_ID),
    );
    let policy = scratch.path().join("policy.json");
    let settings = serde_json::to_string(&tables[0].settings).expect("settings are JSON");
    write(&policy, &settings);
    let (directory, policy) = (directory.to_string_lossy(), policy.to_string_lossy());
    let _platform = scratch.start(&["--policy", &*policy, "--ldif", &*directory]);
    make(&scratch, &running()).ok();
    make_others(&scratch, tables);
    let all: Vec<Asked<'_>> = tables
        .iter()
        .flat_map(|table| table.cases.iter().map(|case| (table.file, case)))
        .flat_map(|(file, case)| ways(case).into_iter().map(move |way| (file, case, way)))
        .filter_map(|(file, case, way)| Asked::new(file, case, way))
        .collect();
    let (mut changes, new): (Vec<_>, Vec<_>) = all.into_iter().partition(|asked| asked.way == Way::Replace);
    sum.add(&ask::all(&scratch, &new));
    // Now there are objects to change.
    let there: Vec<String> = there()
        .into_iter()
        .filter(|object| make(&scratch, object).code == 0)
        .map(|object| object["kind"].to_string())
        .collect();
    changes.retain(|asked| there.contains(&json!(asked.case.kind.kind).to_string()));
    sum.add(&ask::all(&scratch, &changes));
}

impl Sum {
    fn add(&mut self, answers: &[(&Asked<'_>, Answer)]) {
        for (asked, answer) in answers {
            self.asked += 1;
            let outcome = answer.outcome();
            self.refused += usize::from(!outcome.allowed);
            self.by_guards += usize::from(outcome.message.contains(&webhook(&asked.case.guard)));
            self.complaints.extend(complaint(asked, answer));
        }
    }
}

/// Makes the namespaces of cases that are not there, and lets the users that cases name beside the tool do everything.
fn make_others(scratch: &Scratch, tables: &[Table]) {
    let cases = || tables.iter().flat_map(|table| &table.cases);
    let there = |name: &&str| [TOOLS_NAMESPACE, "default", "kube-system", "tool-fourohfour"].contains(name);
    let namespaces = cases().map(|case| case.namespace.as_str());
    let namespaces: BTreeSet<&str> = namespaces
        .filter(|name| ask::can_be(name) && !there(name))
        .collect();
    for namespace in namespaces {
        scratch.kubectl(&["create", "namespace", namespace]).ok();
    }
    let users: BTreeSet<&str> = cases().map(|case| case.writer.as_str()).collect();
    for user in users.into_iter().filter(|user| *user != TOOL) {
        let name = user.replace(':', "-");
        let bind = [
            "create",
            "clusterrolebinding",
            &name,
            "--clusterrole=cluster-admin",
            "--user",
            user,
        ];
        scratch.kubectl(&bind).ok();
    }
}

/// A case that is let in is asked once: whether an object may become it is for the API to say.
fn ways(case: &Case) -> Vec<Way> {
    let refused = matches!(case.expected, Expected::Refused { .. });
    match &case.sub_resource {
        Some(_) => vec![Way::Patch],
        None if refused => vec![Way::Create, Way::Replace, Way::Apply],
        None => vec![Way::Create],
    }
}

/// A Pod to debug.
fn running() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": RUNNING}, "spec": {"containers": [
        {"name": "web", "image": "docker-registry.tools.wmflabs.org/x:1", "command": ["sleep", "600"]},
    ]}})
}

/// The objects that cases would change, which make no Pods themselves: quota has room for few.
fn there() -> Vec<Value> {
    let mut objects = bases();
    objects.remove("stored");
    let mut objects: Vec<Value> = objects.into_values().collect();
    for object in &mut objects {
        match object["kind"].as_str().unwrap_or_default() {
            "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
                object["spec"]["replicas"] = json!(0);
            }
            "Job" => object["spec"]["suspend"] = json!(true),
            "DaemonSet" => object["spec"]["template"]["spec"]["nodeSelector"] = json!({"none": "none"}),
            _ => {}
        }
    }
    objects
}

/// Makes an object as the tool, or as an operator where tools may not.
fn make(scratch: &Scratch, object: &Value) -> Outcome {
    let file = scratch.path().join("there.json");
    write(&file, &object.to_string());
    let create = ["create", "-n", TOOLS_NAMESPACE, "-f", &file.to_string_lossy()];
    match object["kind"].as_str().unwrap_or_default() {
        "DaemonSet" | "Endpoints" | "EndpointSlice" | "PodTemplate" | "ReplicationController" => {
            scratch.kubectl(&create)
        }
        _ => scratch.kubectl_as(TOOL, &create),
    }
}

fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).expect("the scratch folder can be written");
}

#[test]
fn every_case_has_its_verdict_with_kubectl_on_a_running_platform() {
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
        refused,
        by_guards,
    } = sum;
    eprintln!("{asked} asked, {refused} refused, {by_guards} of them by the guard that they are about");
    assert!(
        complaints.is_empty(),
        "{} of {asked}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert!(
        asked >= 2040 && by_guards >= 790,
        "{asked} asked, {by_guards} refused by a guard"
    );
}
