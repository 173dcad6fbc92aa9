//! Annotations of an Ingress: controllers take orders from them, so only notes are let through, and of the widespread
//! controller's what the gateway does.
//!
//! What each of those means is said in `core/annotations`, of which the gateway's routes are made too; here it becomes
//! offences and warnings.

use k8s_openapi::api::networking::v1::Ingress;
use toolforge_annotations::{AskedPath, FAMILY, Note, Place, Problem, ProblemKind, Reading, Source, read};

use super::check_class;
use crate::annotations;
use crate::verdict::{Law, Offences, quoted};

/// The old way to name an ingress class.
const CLASS: &str = "kubernetes.io/ingress.class";

const ANNOTATION: Law = Law::fixed(
    "ingress/annotation",
    "Annotations that ingress controllers may take orders from are not allowed",
    "leave it out; for a note of your own use a key without a slash",
);

/// What the annotations of the widespread controller come to.
pub(super) fn reading(namespace: &str, ingress: &Ingress) -> Reading {
    let annotations = ingress.metadata.annotations.iter().flatten();
    let annotations = Source::of_family(annotations);
    if annotations.is_empty() {
        return Reading::default();
    }
    let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
    let hosts = rules.clone().filter_map(|rule| rule.host.as_deref());
    let paths = rules.enumerate().flat_map(|(rule, of)| {
        let paths = of.http.iter().flat_map(|http| http.paths.iter().enumerate());
        paths.map(move |(index, path)| AskedPath {
            rule,
            index,
            path: path.path.as_deref().unwrap_or_default(),
            may_be_pattern: path.path_type == "ImplementationSpecific",
        })
    });
    read(&Source {
        namespace,
        annotations,
        hosts: hosts.collect(),
        paths: paths.collect(),
    })
}

/// Adds every annotation that is not known to be harmless or done, and warns of those that do nothing here.
pub(super) fn check(ingress: &Ingress, reading: &Reading, class: &str, offences: &mut Offences) {
    for (key, value) in ingress.metadata.annotations.iter().flatten() {
        let is_read = key.strip_prefix(FAMILY).is_some_and(|rest| rest.starts_with('/'));
        if is_read || annotations::is_note(key, &[]) {
            continue;
        }
        let field = annotations::field(key);
        if key == CLASS {
            check_class(class, &field, Some(value), offences);
        } else {
            let found = format!("{field} is set");
            offences.shown_as(&ANNOTATION, field, found);
        }
    }
    for problem in &reading.problems {
        refuse(problem, offences);
    }
    for Note { name, text } in &reading.notes {
        offences.warn("ingress/annotation-ignored", field(name), text.clone());
    }
}

fn refuse(problem: &Problem, offences: &mut Offences) {
    let rule = match problem.kind {
        ProblemKind::Refused | ProblemKind::Unknown => "ingress/annotation",
        ProblemKind::Value => "ingress/annotation-value",
        ProblemKind::Pattern => "ingress/pattern",
    };
    let law = Law::spoken(rule, problem.why.to_string(), problem.instead.to_string());
    let field = match &problem.place {
        Place::Annotation(name) => field(name),
        Place::Path { rule, index } => format!("spec.rules[{rule}].http.paths[{index}].path"),
    };
    let found = match &problem.value {
        Some(value) => format!("{field} is {}", quoted(value)),
        None => format!("{field} is set"),
    };
    offences.shown_as(&law, field, found);
}

/// The path of an annotation of the family.
fn field(name: &str) -> String {
    annotations::field(&format!("{FAMILY}/{name}"))
}
