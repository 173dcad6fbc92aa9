//! The table of adversarial cases, asked of the functions themselves.

#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "cases/table.rs"]
mod cases;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use toolforge_model::ToolAccount;
use toolforge_policy::psp::{Phase, tool_policy};
use toolforge_policy::{
    Guard, ObjectKind, Policies, Question, Verdict, Workload, Writer, admit_endpoint_slice, admit_endpoints,
    admit_images, admit_ingress, admit_service, admit_volumes,
};

use cases::{Case, Outcome, tables};

/// The verdict, or why there is none: what cannot be read is refused.
fn verdict(policies: &Policies, case: &Case) -> Result<Verdict, String> {
    let object: Value = serde_json::from_str(&case.body).map_err(|error| error.to_string())?;
    let namespace = case.namespace.as_str();
    let groups = ["toolforge".to_owned(), "system:authenticated".to_owned()];
    let writer = Writer {
        user: &case.writer,
        groups: &groups,
    };
    match (case.guard.as_str(), case.kind.kind.as_str()) {
        ("ingress", _) => Ok(admit_ingress(&policies.ingress, namespace, &typed(object)?)),
        ("service", _) => Ok(admit_service(&policies.service, namespace, &typed(object)?)),
        ("endpoints", "EndpointSlice") => Ok(admit_endpoint_slice(
            &policies.endpoints,
            namespace,
            writer,
            &typed(object)?,
        )),
        ("endpoints", _) => Ok(admit_endpoints(
            &policies.endpoints,
            namespace,
            writer,
            &typed(object)?,
        )),
        ("pod", _) => of_pod(policies, case, writer, &object),
        (guard, kind) => {
            let workload = Workload::read(kind, namespace, &object).map_err(|error| error.to_string())?;
            match guard {
                "images" => Ok(admit_images(&policies.registry, &workload)),
                "volumes" => Ok(admit_volumes(&policies.volumes, &workload)),
                other => Err(format!("there is no guard {other}")),
            }
        }
    }
}

/// The verdict on a Pod, or a template of Pods, by the tool's own policy.
fn of_pod(policies: &Policies, case: &Case, writer: Writer<'_>, object: &Value) -> Result<Verdict, String> {
    let account = ToolAccount {
        uid: 52_001,
        home: "/data/project/alpha".to_owned(),
    };
    let tool = "alpha".parse().expect("a tool's name");
    let usable = [Arc::new(tool_policy(&tool, &account, &policies.pod))];
    let question = Question {
        kind: ObjectKind {
            group: &case.kind.group,
            version: &case.kind.version,
            kind: &case.kind.kind,
        },
        namespace: &case.namespace,
        object,
        pod_policies: Some(&usable),
        writer,
        phase: case
            .sub_resource
            .as_ref()
            .map_or(Phase::Create, |_| Phase::EphemeralContainers),
    };
    let verdict = Guard::Pod.judge(policies, question);
    verdict.map_err(|unjudged| unjudged.to_string())
}

fn typed<T: DeserializeOwned>(object: Value) -> Result<T, String> {
    serde_json::from_value(object).map_err(|error| error.to_string())
}

fn outcome(verdict: Result<Verdict, String>) -> Outcome {
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(message) => {
            return Outcome {
                allowed: false,
                message,
                rules: Some(vec!["unreadable".to_owned()]),
                warnings: None,
            };
        }
    };
    Outcome {
        allowed: verdict.is_allowed(),
        message: verdict.message(),
        rules: Some(
            verdict
                .offences()
                .iter()
                .map(|offence| offence.rule.to_owned())
                .collect(),
        ),
        warnings: Some(
            verdict
                .warnings()
                .iter()
                .map(|warning| warning.rule.to_owned())
                .collect(),
        ),
    }
}

#[test]
fn every_case_has_the_verdict_that_is_written_beside_it() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for table in tables() {
        let policies = table.settings.resolve().unwrap();
        for case in &table.cases {
            count += 1;
            complaints.extend(case.complaint(table.file, &outcome(verdict(&policies, case))));
        }
    }
    assert!(
        complaints.is_empty(),
        "{} of {count}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert!(count >= 300, "only {count} cases");
}
