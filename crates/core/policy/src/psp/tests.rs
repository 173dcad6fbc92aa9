//! The engine against the tables of upstream's documentation, its semantics, and properties.

mod choice;
mod declared;
mod fields;
mod objects;
mod properties;
mod tools;

use serde_json::{Value, json};
use toolforge_model::ToolAccount;

use super::{Phase, PodSecurityPolicy, Who, judge_pod};
use crate::{Verdict, Workload};

const UID: u32 = 52_001;

/// Nobody in particular, outside the namespaces of tools.
const SOMEBODY: Who<'_> = Who {
    user: "jane",
    tool: false,
};

fn account() -> ToolAccount {
    ToolAccount {
        uid: UID,
        home: "/data/project/alpha".to_owned(),
    }
}

fn with_container(fields: &Value) -> Value {
    json!({"containers": [merged(json!({"name": "web", "image": "r.example/x"}), fields)]})
}

fn with_pod(fields: &Value) -> Value {
    merged(with_container(&json!({})), fields)
}

fn merged(mut base: Value, fields: &Value) -> Value {
    json_patch::merge(&mut base, fields);
    base
}

/// A policy that allows anything but what these fields say.
fn policy(name: &str, fields: &Value) -> PodSecurityPolicy {
    let open = json!({
        "seLinux": {"rule": "RunAsAny"}, "runAsUser": {"rule": "RunAsAny"}, "fsGroup": {"rule": "RunAsAny"},
        "supplementalGroups": {"rule": "RunAsAny"}, "volumes": ["*"],
    });
    annotated(name, &json!({}), &merged(open, fields))
}

fn annotated(name: &str, annotations: &Value, spec: &Value) -> PodSecurityPolicy {
    PodSecurityPolicy::read(&json!({"metadata": {"name": name, "annotations": annotations}, "spec": spec}))
        .unwrap()
}

/// A Pod with this specification as it is stored, or the verdict that keeps it out.
fn created(policies: &[&PodSecurityPolicy], pod: &Value) -> Result<Value, Verdict> {
    let workload = Workload::read("Pod", "other", pod).unwrap();
    let judgement = judge_pod(policies.to_vec(), SOMEBODY, &workload, Phase::Create);
    let mut changed = pod.clone();
    judgement.completion().make_in(&mut changed);
    match judgement.policy() {
        Some(_) => Ok(changed),
        None => Err(judgement.into_verdict()),
    }
}

fn pod(spec: &Value) -> Value {
    json!({"metadata": {"name": "web"}, "spec": spec})
}
