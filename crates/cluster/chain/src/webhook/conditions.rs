//! Match conditions: expressions that must all be true for a webhook to be asked.
//!
//! They see `object`, `oldObject`, `request`, which is the question to the webhook without the objects, and `authorizer`,
//! which knows what the user may do. One that is false ends the matter; one that cannot be evaluated is settled by the
//! failure policy.
//! Source: <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-matchconditions>.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use toolforge_cel::{self as cel, Asking, CompileError, Program};

use super::definition::{FailurePolicy, Webhook};

/// Compiled expressions that are kept; beyond, all are dropped, which costs only compiling them again.
const MAX_PROGRAMS: usize = 512;

/// What the conditions of a webhook say about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It wants to be asked.
    Ask,
    /// It does not.
    Skip,
    /// Nobody knows, and the webhook must not be passed by.
    Refuse(String),
}

type Compiled = Arc<Result<Program, CompileError>>;

/// The conditions of all webhooks, compiled once.
#[derive(Debug, Default)]
pub(super) struct Conditions(Mutex<HashMap<String, Compiled>>);

impl Conditions {
    /// Whether a webhook with conditions wants to be asked this question, an `AdmissionReview`; `rights` are those of the
    /// user who makes the request.
    pub(super) fn check(&self, webhook: &Webhook, review: &Value, rights: &Arc<Asking>) -> Verdict {
        let mut request = review.get("request").cloned().unwrap_or_default();
        let mut take = |field: &str| {
            request
                .as_object_mut()
                .and_then(|map| map.remove(field))
                .unwrap_or_default()
        };
        let (object, old) = (take("object"), take("oldObject"));
        let variable = |name: &str| match name {
            "object" => Some(cel::Value::from_json(&object)),
            "oldObject" => Some(cel::Value::from_json(&old)),
            "request" => Some(cel::Value::from_json(&request)),
            "authorizer" => Some(cel::Value::Asking(rights.clone())),
            _ => None,
        };
        let mut problems = Vec::new();
        for condition in webhook.match_conditions.iter().flatten() {
            match self.evaluate(&condition.expression, &variable) {
                Ok(true) => {}
                Ok(false) => return Verdict::Skip,
                Err(problem) => problems.push(problem),
            }
        }
        match (problems.as_slice(), webhook.failure_policy) {
            ([], _) => Verdict::Ask,
            (_, Some(FailurePolicy::Ignore)) => Verdict::Skip,
            ([only], _) => Verdict::Refuse(only.clone()),
            (several, _) => Verdict::Refuse(format!("[{}]", several.join(", "))),
        }
    }

    fn evaluate(&self, source: &str, variable: &dyn Fn(&str) -> Option<cel::Value>) -> Result<bool, String> {
        let failed = |problem: String| format!("expression '{source}' resulted in error: {problem}");
        let program = self.program(source);
        let program = program
            .as_ref()
            .as_ref()
            .map_err(|problem| failed(problem.to_string()))?;
        let variables: Vec<(&str, cel::Value)> = program
            .variables()
            .filter_map(|name| Some((name, variable(name)?)))
            .collect();
        match program.evaluate_values(&variables) {
            Ok(cel::Value::Bool(found)) => Ok(found),
            Ok(other) => {
                let shown = other.to_json().unwrap_or_default();
                Err(failed(format!("{shown} is neither true nor false")))
            }
            Err(problem) => Err(failed(problem.to_string())),
        }
    }

    fn program(&self, source: &str) -> Compiled {
        if let Some(known) = self.0.lock().get(source) {
            return known.clone();
        }
        let compiled = Arc::new(Program::compile(source));
        let mut programs = self.0.lock();
        if programs.len() >= MAX_PROGRAMS {
            programs.clear();
        }
        programs.insert(source.to_owned(), compiled.clone());
        compiled
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::json;
    use toolforge_cel::{Authorizer, Decision, Question};

    use super::*;

    fn verdict(policy: &str, expressions: &[&str]) -> Verdict {
        let conditions: Vec<Value> = expressions
            .iter()
            .enumerate()
            .map(|(index, expression)| json!({"name": format!("c{index}"), "expression": expression}))
            .collect();
        let webhook =
            json!({"name": "w", "clientConfig": {}, "failurePolicy": policy, "matchConditions": conditions});
        let webhook = Webhook::deserialize(&webhook).unwrap();
        let review = json!({"request": {"operation": "CREATE", "userInfo": {"username": "ada"},
            "object": {"metadata": {"name": "new"}, "data": {"color": "blue"}}, "oldObject": null}});
        Conditions::default().check(
            &webhook,
            &review,
            &Arc::new(Asking::new(Arc::new(Cats), Question::default())),
        )
    }

    /// Lets everybody get cats.
    #[derive(Debug)]
    struct Cats;

    impl Authorizer for Cats {
        fn decide(&self, question: &Question) -> Decision {
            Decision {
                allowed: question.verb == "get" && question.resource == "cats",
                ..Decision::default()
            }
        }
    }

    #[test]
    fn all_must_be_true() {
        for (expressions, expected) in [
            (&[][..], Verdict::Ask),
            (
                &["object.data.color == 'blue'", "oldObject == null"],
                Verdict::Ask,
            ),
            (&["request.userInfo.username != 'ada'"], Verdict::Skip),
            (&["true", "request.operation == 'UPDATE'"], Verdict::Skip),
            (&["!has(request.object)"], Verdict::Ask),
            (
                &["authorizer.group('').resource('cats').check('get').allowed()"],
                Verdict::Ask,
            ),
            (
                &["authorizer.group('').resource('dogs').check('get').allowed()"],
                Verdict::Skip,
            ),
        ] {
            assert_eq!(verdict("Fail", expressions), expected, "{expressions:?}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_for_the_failure_policy_unless_another_is_false() {
        let broken = "object.data.size > 1";
        assert_eq!(verdict("Ignore", &[broken]), Verdict::Skip);
        assert_eq!(verdict("Fail", &[broken, "false"]), Verdict::Skip);
        let Verdict::Refuse(why) = verdict("Fail", &[broken, "true"]) else {
            panic!("not refused");
        };
        assert!(
            why.starts_with("expression 'object.data.size > 1' resulted in error: no such key"),
            "{why}"
        );
        assert!(matches!(verdict("Fail", &["'text'"]), Verdict::Refuse(_)));
        assert!(matches!(verdict("Fail", &["("]), Verdict::Refuse(_)));
    }
}
