//! A report for programs: JSON with names that stay, and the completed objects as YAML.

use std::fmt::Write as _;

use serde_json::{Value, json};
use toolforge_manifest::Place;

use super::{
    judgement::{Judgement, Outcome},
    report::Report,
};

/// An array: an entry for each object and for each file that cannot be read. docs/admission.md tells the names.
pub(super) fn json(report: &Report<'_>, show: bool) -> anyhow::Result<String> {
    let mut entries = Vec::new();
    for (file, content) in &report.files {
        match content {
            Ok(judgements) => entries.extend(judgements.iter().map(|judgement| entry(file, judgement, show))),
            Err(error) => {
                let mut entry = json!({"file": file, "verdict": "unreadable", "problem": error.problem});
                set_place(&mut entry, error.place);
                entries.push(entry);
            }
        }
    }
    Ok(format!("{}\n", serde_json::to_string_pretty(&entries)?))
}

fn entry(file: &str, judgement: &Judgement, show: bool) -> Value {
    let offences = judgement.offences.iter().map(|found| {
        let mut offence = json!(found.what);
        set_place(&mut offence, found.place);
        offence
    });
    let warnings = judgement.warnings.iter().map(|found| {
        let mut warning = json!(found.what);
        set_place(&mut warning, found.place);
        warning
    });
    let mut entry = json!({
        "file": file,
        "apiVersion": judgement.api_version,
        "kind": judgement.kind,
        "name": judgement.name,
        "namespace": judgement.namespace,
        "verdict": word(judgement.outcome),
        "offences": offences.collect::<Vec<_>>(),
        "warnings": warnings.collect::<Vec<_>>(),
    });
    set_place(&mut entry, judgement.place);
    if let Some(reason) = &judgement.reason {
        entry["reason"] = json!(reason);
    }
    if show {
        entry["completed"] = judgement.completed.clone();
    }
    entry
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Refused => "refused",
        Outcome::NotLookedAt => "not-looked-at",
    }
}

fn set_place(entry: &mut Value, place: Option<Place>) {
    if let Some(place) = place {
        entry["line"] = json!(place.line);
        entry["column"] = json!(place.column);
    }
}

/// The objects as the platform would complete them, a document each; their verdicts are the exit code's to tell.
pub(super) fn yaml(report: &Report<'_>) -> anyhow::Result<String> {
    let mut text = String::new();
    for (_, judgement) in report.judged() {
        let object = serde_saphyr::to_string(&judgement.completed)?;
        write!(text, "---\n{object}")?;
    }
    Ok(text)
}
