//! `x-kubernetes-validations`: rules of a schema, in the Common Expression Language.
//!
//! Rules fail closed: one that cannot be evaluated is not kept. Their work is bounded by the evaluation itself, and
//! by how many evaluations one object may cost.

mod typed;

use serde_json::Value;
use toolforge_cel::{EvaluateError, Program, Value as CelValue};

use super::lists::same_item;
use super::schema::Schema;
use super::validate::join;
use crate::FieldError;
use crate::value::Read as _;

/// Evaluations for one object at most.
const EVALUATIONS: usize = 20_000;

/// A compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    source: String,
    program: Program,
    message: String,
    message_expression: Option<Program>,
    reason: String,
    field_path: String,
    optional_old: bool,
    /// Whether the rule is about changes.
    transition: bool,
}

/// Compiles a rule; the error is the field of the rule and what is wrong with it.
pub(crate) fn compile_rule(rule: &Value) -> Result<Rule, (&'static str, String)> {
    let compile = |field: &'static str, known: &[&str]| {
        let program = Program::compile(rule.text(field)).map_err(|problem| (field, problem.to_string()))?;
        let unknown = program
            .variables()
            .find(|name| !known.contains(name))
            .map(str::to_owned);
        match unknown {
            None => Ok(program),
            Some(name) => Err((
                field,
                format!("undeclared reference to '{name}' (in container '')"),
            )),
        }
    };
    let program = compile("rule", &["self", "oldSelf"])?;
    let transition = program.variables().any(|name| name == "oldSelf");
    let has_message = !rule.text("messageExpression").is_empty();
    let message_expression = if has_message {
        Some(compile("messageExpression", &["self", "oldSelf"])?)
    } else {
        None
    };
    Ok(Rule {
        source: rule.text("rule").trim().to_owned(),
        transition,
        program,
        message: rule.text("message").to_owned(),
        message_expression,
        reason: rule.text("reason").to_owned(),
        field_path: rule.text("fieldPath").to_owned(),
        optional_old: rule.flag("optionalOldSelf"),
    })
}

/// What the rules have against an object.
pub(crate) fn check(schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut checker = Checker {
        errors: Vec::new(),
        left: EVALUATIONS,
    };
    checker.walk(schema, new, old, "", true);
    checker.errors
}

struct Checker {
    errors: Vec<FieldError>,
    left: usize,
}

impl Checker {
    fn walk(&mut self, schema: &Schema, new: &Value, old: Option<&Value>, path: &str, is_root: bool) {
        if !schema.has_rules {
            return;
        }
        if !schema.rules.is_empty() {
            self.here(schema, new, old, path, is_root);
        }
        match new {
            Value::Object(map) => {
                for (name, value) in map {
                    let before = old.and_then(|old| old.get(name));
                    if let Some(field) = schema.properties.get(name) {
                        self.walk(field, value, before, &join(path, name), false);
                    } else if let Some(field) = &schema.additional {
                        self.walk(field, value, before, &format!("{path}[{name}]"), false);
                    }
                }
            }
            Value::Array(items) => {
                let Some(of) = &schema.items else { return };
                for (index, item) in items.iter().enumerate() {
                    self.walk(
                        of,
                        item,
                        same_item(schema, item, old),
                        &format!("{path}[{index}]"),
                        false,
                    );
                }
            }
            _ => {}
        }
    }

    fn here(&mut self, schema: &Schema, new: &Value, old: Option<&Value>, path: &str, is_root: bool) {
        let own = typed::value(schema, new, is_root);
        let before = old.map(|old| typed::value(schema, old, is_root));
        for rule in &schema.rules {
            // What a change leaves alone is not held against it; a rule about changes is always asked.
            let unchanged = old == Some(new) && !rule.transition;
            if unchanged || (rule.transition && before.is_none() && !rule.optional_old) {
                continue;
            }
            let Some(left) = self.left.checked_sub(1) else {
                let detail = "validation failed due to running out of cost budget, no further validation rules will be run";
                let error = FieldError::invalid(path, type_name(schema), detail);
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
                return;
            };
            self.left = left;
            if let Some(error) = rule.check(schema, &own, before.as_ref(), path) {
                self.errors.push(error);
            }
        }
    }
}

fn type_name(schema: &Schema) -> &'static str {
    schema.kind.map_or("", super::schema::Type::name)
}

impl Rule {
    /// Whether the rule is about changes.
    pub(crate) fn is_transition(&self) -> bool {
        self.transition
    }

    fn check(
        &self,
        schema: &Schema,
        own: &CelValue,
        before: Option<&CelValue>,
        path: &str,
    ) -> Option<FieldError> {
        let old = match (self.optional_old, before) {
            (false, before) => before.cloned(),
            (true, before) => Some(CelValue::Optional(before.cloned().map(std::sync::Arc::new))),
        };
        let mut variables = vec![("self", own.clone())];
        variables.extend(old.map(|old| ("oldSelf", old)));
        let invalid = |detail: String| Some(FieldError::invalid(path, type_name(schema), &detail));
        match self.program.evaluate_values(&variables) {
            Ok(CelValue::Bool(true)) => None,
            Ok(CelValue::Bool(false)) => Some(self.refusal(schema, &variables, path)),
            Ok(other) => invalid(format!(
                "the rule gives no flag but {other:?}: {}",
                self.described()
            )),
            Err(problem @ EvaluateError::NoSuchOverload(_)) => invalid(format!(
                "'{problem}': call arguments did not match a supported operator, function or macro signature for rule: {}",
                self.described()
            )),
            Err(problem @ EvaluateError::Exhausted) => invalid(format!(
                "'{problem}': no further validation rules will be run due to call cost exceeds limit for rule: {}",
                self.described()
            )),
            Err(problem) => invalid(format!("{problem} evaluating rule: {}", self.described())),
        }
    }

    fn described(&self) -> String {
        if self.message.is_empty() {
            format!("failed rule: {}", self.source)
        } else {
            self.message.clone()
        }
    }

    fn refusal(&self, schema: &Schema, variables: &[(&str, CelValue)], path: &str) -> FieldError {
        let told = self.message_expression.as_ref().and_then(|expression| {
            match expression.evaluate_values(variables) {
                // A message of more than one line, or none, is no message.
                Ok(CelValue::Text(text)) if !text.trim().is_empty() && !text.contains('\n') => {
                    Some(text.to_string())
                }
                _ => None,
            }
        });
        let detail = told.unwrap_or_else(|| self.described());
        let place = match self.field_path.strip_prefix('.') {
            Some(below) => join(path, below),
            None => format!("{path}{}", self.field_path),
        };
        match self.reason.as_str() {
            "FieldValueForbidden" => FieldError::forbidden(&place, &detail),
            "FieldValueRequired" => FieldError::required(&place, &detail),
            "FieldValueDuplicate" => FieldError::duplicate(&place, type_name(schema)),
            _ => FieldError::invalid(&place, type_name(schema), &detail),
        }
    }
}
