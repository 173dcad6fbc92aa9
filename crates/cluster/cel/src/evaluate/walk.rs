//! Macros: walks over lists and maps, and bindings.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Evaluation, Found, no_overload};
use crate::functions::sorted_by;
use crate::program::EvaluateError;
use crate::syntax::{Macro, MacroKind};
use crate::value::{Key, Value};

/// One step of a walk: what its variables are.
type Step = Vec<Value>;

impl Evaluation {
    pub(super) fn walk(&mut self, found: &Macro) -> Found {
        let range = self.value(&found.range)?;
        match found.kind {
            MacroKind::Bind => return self.within(found, vec![range]),
            MacroKind::OptionalMap | MacroKind::OptionalFlatMap => return self.optional(found, &range),
            _ => {}
        }
        let steps = steps(&range, found.names.len())?;
        self.budget.spend(steps.len())?;
        match found.kind {
            MacroKind::All => self.quantify(found, steps, false),
            MacroKind::Exists => self.quantify(found, steps, true),
            MacroKind::ExistsOne => {
                let mut count = 0_usize;
                for step in steps {
                    count += usize::from(self.holds(found, step)?);
                }
                Ok(Value::Bool(count == 1))
            }
            MacroKind::Filter => {
                let mut kept = Vec::new();
                for step in steps {
                    let item = step.first().cloned().unwrap_or(Value::Null);
                    if self.holds(found, step)? {
                        kept.push(item);
                    }
                }
                Ok(Value::list(kept))
            }
            MacroKind::SortBy => self.sort(found, steps),
            MacroKind::Map | MacroKind::TransformList => {
                let mut made = Vec::new();
                for step in steps {
                    made.extend(self.filtered(found, step)?);
                }
                Ok(Value::list(made))
            }
            _ => self.transform(found, steps),
        }
    }

    /// The body with its variables.
    fn within(&mut self, found: &Macro, step: Step) -> Found {
        let before = self.names.len();
        self.names.extend(found.names.iter().cloned().zip(step));
        let value = self.value(&found.body);
        self.names.truncate(before);
        value
    }

    /// The body, where the condition before it holds.
    fn filtered(&mut self, found: &Macro, step: Step) -> Result<Option<Value>, EvaluateError> {
        let before = self.names.len();
        self.names.extend(found.names.iter().cloned().zip(step));
        let passes = match &found.filter {
            None => Ok(Value::Bool(true)),
            Some(filter) => self.value(filter),
        };
        let value = match passes {
            Ok(Value::Bool(true)) => self.value(&found.body).map(Some),
            Ok(Value::Bool(false)) => Ok(None),
            Ok(other) => Err(no_overload("_?_:_", &[&other])),
            Err(problem) => Err(problem),
        };
        self.names.truncate(before);
        value
    }

    fn holds(&mut self, found: &Macro, step: Step) -> Result<bool, EvaluateError> {
        match self.within(found, step)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(no_overload("_?_:_", &[&other])),
        }
    }

    /// One step that decides is enough, even where another fails.
    fn quantify(&mut self, found: &Macro, steps: Vec<Step>, decides: bool) -> Found {
        let mut failed = None;
        for step in steps {
            match self.holds(found, step) {
                Ok(flag) if flag == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(EvaluateError::Exhausted) => return Err(EvaluateError::Exhausted),
                Err(problem) => {
                    failed.get_or_insert(problem);
                }
            }
        }
        failed.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn sort(&mut self, found: &Macro, steps: Vec<Step>) -> Found {
        let mut keyed = Vec::with_capacity(steps.len());
        for step in steps {
            let item = step.first().cloned().unwrap_or(Value::Null);
            keyed.push((self.within(found, step)?, item));
        }
        sorted_by(keyed)
    }

    fn transform(&mut self, found: &Macro, steps: Vec<Step>) -> Found {
        let mut made = BTreeMap::new();
        for step in steps {
            let key = step.first().cloned().unwrap_or(Value::Null);
            let Some(value) = self.filtered(found, step)? else {
                continue;
            };
            if found.kind == MacroKind::TransformMap {
                made.extend(Key::of(&key).map(|key| (key, value)));
                continue;
            }
            let Value::Map(entries) = &value else {
                return Err(no_overload("transformMapEntry", &[&value]));
            };
            for (key, value) in entries.iter() {
                if made.insert(key.clone(), value.clone()).is_some() {
                    return Err(EvaluateError::Failed(format!(
                        "insert failed: key '{key}' already exists"
                    )));
                }
            }
        }
        Ok(Value::Map(Arc::new(made)))
    }

    fn optional(&mut self, found: &Macro, range: &Value) -> Found {
        let Value::Optional(inner) = range else {
            return Err(no_overload("optMap", &[range]));
        };
        let Some(inner) = inner else {
            return Ok(Value::Optional(None));
        };
        let value = self.within(found, vec![Value::clone(inner)])?;
        match (found.kind, value) {
            (MacroKind::OptionalMap, value) => Ok(Value::Optional(Some(Arc::new(value)))),
            (_, Value::Optional(inner)) => Ok(Value::Optional(inner)),
            (_, other) => Err(no_overload("optFlatMap", &[&other])),
        }
    }
}

/// The items of a list or the keys of a map; with two variables the index or key, and the value.
fn steps(range: &Value, variables: usize) -> Result<Vec<Step>, EvaluateError> {
    match range {
        Value::List(items) if variables == 1 => Ok(items.iter().map(|item| vec![item.clone()]).collect()),
        Value::List(items) => Ok(items
            .iter()
            .zip(0_i64..)
            .map(|(item, index)| vec![Value::Int(index), item.clone()])
            .collect()),
        Value::Map(map) if variables == 1 => Ok(map.keys().map(|key| vec![key.to_value()]).collect()),
        Value::Map(map) => Ok(map
            .iter()
            .map(|(key, value)| vec![key.to_value(), value.clone()])
            .collect()),
        other => Err(EvaluateError::NoSuchOverload(format!(
            "comprehension over {}",
            other.type_name()
        ))),
    }
}
