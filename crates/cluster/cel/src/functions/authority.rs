//! Questions about rights, step by step, and what is read off the answers.

use std::sync::Arc;

use crate::authorizer::{Asking, Decision, Question, Stage};
use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::Value;

/// Steps that one check costs, as in Kubernetes: two are what an expression can afford.
const CHECK_STEPS: usize = 350_000;

/// Calls a function of this library.
pub(super) fn call(evaluation: &mut Evaluation, name: &str, method: bool, values: &[Value]) -> Option<Found> {
    if !method {
        return None;
    }
    match values {
        [Value::Asking(asking), Value::Text(verb)] if name == "check" => check(evaluation, asking, verb),
        [Value::Asking(asking), rest @ ..] => {
            let texts: Option<Vec<&str>> = rest
                .iter()
                .map(|value| match value {
                    Value::Text(text) => Some(&**text),
                    _ => None,
                })
                .collect();
            step(asking, name, &texts?)
        }
        [Value::Decision(decision)] => read(decision, name).map(Ok),
        _ => None,
    }
}

fn check(evaluation: &mut Evaluation, asking: &Asking, verb: &str) -> Option<Found> {
    if !matches!(asking.stage, Stage::Path | Stage::Resource) {
        return None;
    }
    if let Err(problem) = evaluation.budget.spend(CHECK_STEPS) {
        return Some(Err(problem));
    }
    let question = Question {
        verb: verb.to_owned(),
        ..asking.question.clone()
    };
    let decision = asking.authorizer.decide(&question);
    Some(Ok(Value::Decision(Arc::new(decision))))
}

/// The question with one more thing said.
fn step(asking: &Asking, name: &str, texts: &[&str]) -> Option<Found> {
    let mut next = asking.clone();
    let question = &mut next.question;
    match (asking.stage, name, texts) {
        (Stage::Authorizer, "path", [path]) => {
            if path.is_empty() {
                let why = "path must not be empty".to_owned();
                return Some(Err(EvaluateError::Failed(why)));
            }
            question.path = Some((*path).to_owned());
            next.stage = Stage::Path;
        }
        (Stage::Authorizer, "group", [group]) => {
            (*group).clone_into(&mut question.group);
            next.stage = Stage::Group;
        }
        (Stage::Authorizer, "serviceAccount", [namespace, name]) => {
            question.service_account = Some(((*namespace).to_owned(), (*name).to_owned()));
        }
        (Stage::Group, "resource", [resource]) => {
            (*resource).clone_into(&mut question.resource);
            next.stage = Stage::Resource;
        }
        (Stage::Resource, "subresource", [text]) => (*text).clone_into(&mut question.subresource),
        (Stage::Resource, "namespace", [text]) => (*text).clone_into(&mut question.namespace),
        (Stage::Resource, "name", [text]) => (*text).clone_into(&mut question.name),
        (Stage::Resource, "fieldSelector", [text]) => (*text).clone_into(&mut question.field_selector),
        (Stage::Resource, "labelSelector", [text]) => (*text).clone_into(&mut question.label_selector),
        _ => return None,
    }
    Some(Ok(Value::Asking(Arc::new(next))))
}

fn read(decision: &Decision, name: &str) -> Option<Value> {
    Some(match name {
        "allowed" => Value::Bool(decision.allowed),
        "reason" => Value::text(&decision.reason),
        "errored" => Value::Bool(!decision.error.is_empty()),
        "error" => Value::text(&decision.error),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authorizer, Program};

    /// Allows what `cat` or the account `ns/bot` reads, and tells the question as the reason.
    #[derive(Debug)]
    struct Readers;

    impl Authorizer for Readers {
        fn decide(&self, question: &Question) -> Decision {
            let Question {
                group,
                resource,
                subresource,
                namespace,
                name,
                ..
            } = question;
            let asked = question.path.clone().unwrap_or_else(|| {
                format!(
                    "{group}/{resource}/{subresource}/{namespace}/{name}?{}",
                    question.field_selector
                )
            });
            let who = question
                .service_account
                .as_ref()
                .map_or("cat", |account| account.1.as_str());
            Decision {
                allowed: question.verb == "get" && who != "dog",
                reason: format!("{who}:{asked}"),
                error: String::new(),
            }
        }
    }

    fn result(source: &str) -> Result<Value, EvaluateError> {
        let request = Question {
            group: "apps".to_owned(),
            resource: "deployments".to_owned(),
            namespace: "n".to_owned(),
            name: "web".to_owned(),
            ..Question::default()
        };
        let asking = Value::Asking(Arc::new(Asking::new(Arc::new(Readers), request)));
        let program = Program::compile(source).expect("an expression");
        program.evaluate_values(&[("authorizer", asking)])
    }

    #[test]
    fn rights_are_asked_about_step_by_step() {
        for (source, expected) in [
            (
                "authorizer.path('/healthz').check('get').allowed()",
                Value::Bool(true),
            ),
            (
                "authorizer.path('/healthz').check('put').allowed()",
                Value::Bool(false),
            ),
            (
                "authorizer.group('a').resource('b').subresource('c').namespace('d').name('e').check('get').reason()",
                Value::text("cat:a/b/c/d/e?"),
            ),
            (
                "authorizer.group('').resource('pods').fieldSelector('x=y').check('list').reason()",
                Value::text("cat:/pods///?x=y"),
            ),
            (
                "authorizer.serviceAccount('ns', 'dog').group('').resource('pods').check('get').allowed()",
                Value::Bool(false),
            ),
            (
                "authorizer.requestResource.check('get').reason()",
                Value::text("cat:apps/deployments//n/web?"),
            ),
            (
                "authorizer.requestResource.check('get').errored()",
                Value::Bool(false),
            ),
        ] {
            assert_eq!(result(source), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_is_no_question_yet_has_no_answer() {
        for (source, expected) in [
            (
                "authorizer.group('a').check('get')",
                "no such overload: check(kubernetes.authorization.GroupCheck, string)",
            ),
            (
                "authorizer.resource('a')",
                "no such overload: resource(kubernetes.authorization.Authorizer, string)",
            ),
            ("authorizer.path('')", "path must not be empty"),
            (
                "authorizer.path('/a').check('a').allowed() || authorizer.path('/b').check('b').allowed() || authorizer.path('/c').check('c').allowed()",
                "operation cancelled: actual cost limit exceeded",
            ),
        ] {
            assert_eq!(result(source).unwrap_err().to_string(), expected, "{source}");
        }
    }
}
