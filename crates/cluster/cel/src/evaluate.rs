//! The walk over the tree of an expression: names, fields, logic, macros.

mod walk;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::budget::Budget;
use crate::functions;
use crate::macros::TYPES;
use crate::operators;
use crate::program::EvaluateError;
use crate::syntax::Expr;
use crate::value::{Key, Value};

/// What an evaluation gives.
pub(crate) type Found = Result<Value, EvaluateError>;

/// One evaluation: its variables and what it may still spend.
pub(crate) struct Evaluation {
    names: Vec<(Arc<str>, Value)>,
    pub(crate) budget: Budget,
    /// Patterns that have been compiled, since loops use the same ones.
    pub(crate) patterns: HashMap<Arc<str>, regex::Regex>,
}

impl Evaluation {
    /// An evaluation with these variables.
    pub(crate) fn with(variables: &[(&str, Value)]) -> Self {
        Self {
            names: variables
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone()))
                .collect(),
            budget: Budget::whole(),
            patterns: HashMap::new(),
        }
    }

    /// The value of an expression.
    pub(crate) fn value(&mut self, expr: &Expr) -> Found {
        self.budget.spend(1)?;
        match expr {
            Expr::Literal(value) => Ok(value.clone()),
            Expr::Name(name) => self.named(name),
            Expr::Select { of, field, test } => self.select(of, field, *test),
            Expr::OptionalSelect { of, field } => {
                let of = self.value(of)?;
                at_optionally(&of, &Value::Text(field.clone()))
            }
            Expr::Index { of, key, optional } => {
                let (of, key) = (self.value(of)?, self.value(key)?);
                if *optional || matches!(of, Value::Optional(_)) {
                    at_optionally(&of, &key)
                } else {
                    at(&of, &key)
                }
            }
            Expr::Call { name, target, args } => self.call(name, target.as_deref(), args),
            Expr::Not(of) => match self.value(of)? {
                Value::Bool(flag) => Ok(Value::Bool(!flag)),
                other => Err(no_overload("!_", &[&other])),
            },
            Expr::Negate(of) => operators::negate(&self.value(of)?),
            Expr::Chain { first, rest } => {
                let mut found = self.value(first)?;
                for (operator, side) in rest {
                    let side = self.value(side)?;
                    found = operators::apply(*operator, &found, &side, &mut self.budget)?;
                }
                Ok(found)
            }
            Expr::And(sides) => self.logical(sides, false),
            Expr::Or(sides) => self.logical(sides, true),
            Expr::Conditional { test, yes, no } => match self.value(test)? {
                Value::Bool(true) => self.value(yes),
                Value::Bool(false) => self.value(no),
                other => Err(no_overload("_?_:_", &[&other])),
            },
            Expr::List(items) => self.list(items),
            Expr::Map(entries) => self.map(entries),
            Expr::Macro(found) => self.walk(found),
        }
    }

    fn named(&self, name: &str) -> Found {
        let found = self.names.iter().rev().find(|(known, _)| &**known == name);
        if let Some((_, value)) = found {
            return Ok(value.clone());
        }
        let of_type = TYPES.iter().find(|known| **known == name);
        of_type
            .map(|name| Value::Type(name))
            .ok_or_else(|| EvaluateError::NoSuchVariable(name.to_owned()))
    }

    fn select(&mut self, of: &Expr, field: &Arc<str>, test: bool) -> Found {
        let of = self.value(of)?;
        let key = Value::Text(field.clone());
        match (&of, test) {
            (Value::Optional(Some(inner)), true) => Ok(Value::Bool(at(inner, &key).is_ok())),
            (Value::Optional(None), true) => Ok(Value::Bool(false)),
            (Value::Optional(_), false) => at_optionally(&of, &key),
            (Value::Asking(asking), false) if &**field == "requestResource" => {
                Ok(Value::Asking(Arc::new(asking.about_request())))
            }
            (Value::Map(map), true) => Ok(Value::Bool(map.contains_key(&Key::Text(field.clone())))),
            (Value::Map(_), false) => at(&of, &key),
            (other, _) => Err(EvaluateError::NoSuchOverload(format!(
                "unsupported field selection target: ({}).{field}",
                other.type_name()
            ))),
        }
    }

    fn call(&mut self, name: &str, target: Option<&Expr>, args: &[Expr]) -> Found {
        let mut values = Vec::with_capacity(args.len() + 1);
        if let Some(target) = target {
            values.push(self.value(target)?);
        }
        for arg in args {
            values.push(self.value(arg)?);
        }
        functions::call(self, name, target.is_some(), &values)
    }

    /// One side that decides is enough, even where another fails; a spent budget is not overruled.
    fn logical(&mut self, sides: &[Expr], decides: bool) -> Found {
        let mut failed = None;
        for side in sides {
            match self.value(side) {
                Ok(Value::Bool(flag)) if flag == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Ok(other) => {
                    let name = if decides { "_||_" } else { "_&&_" };
                    failed.get_or_insert(no_overload(name, &[&other]));
                }
                Err(EvaluateError::Exhausted) => return Err(EvaluateError::Exhausted),
                Err(problem) => {
                    failed.get_or_insert(problem);
                }
            }
        }
        failed.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn list(&mut self, items: &[(Expr, bool)]) -> Found {
        let mut found = Vec::with_capacity(items.len());
        for (item, optional) in items {
            match (self.value(item)?, optional) {
                (Value::Optional(inner), true) => found.extend(inner.map(|inner| Value::clone(&inner))),
                (value, _) => found.push(value),
            }
        }
        Ok(Value::list(found))
    }

    fn map(&mut self, entries: &[(Expr, Expr, bool)]) -> Found {
        let mut found = BTreeMap::new();
        for (key, value, optional) in entries {
            let key = self.value(key)?;
            let value = match (self.value(value)?, optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(inner)), true) => Value::clone(&inner),
                (value, _) => value,
            };
            let key = Key::of(&key).ok_or_else(|| no_overload("map key", &[&key]))?;
            if found.insert(key.clone(), value).is_some() {
                return Err(EvaluateError::Failed(format!("duplicate key: {key}")));
            }
        }
        Ok(Value::Map(Arc::new(found)))
    }
}

/// The item at an index, or the value of a key.
pub(crate) fn at(of: &Value, key: &Value) -> Found {
    match of {
        Value::Map(map) => {
            let place = Key::of(key).ok_or_else(|| no_overload("_[_]", &[of, key]))?;
            map.get(&place)
                .cloned()
                .ok_or_else(|| EvaluateError::NoSuchKey(place.to_string()))
        }
        Value::List(items) => match Key::of(key) {
            Some(Key::Int(index)) => usize::try_from(index)
                .ok()
                .and_then(|index| items.get(index).cloned())
                .ok_or_else(|| EvaluateError::Failed(format!("index out of bounds: {index}"))),
            _ => Err(no_overload("_[_]", &[of, key])),
        },
        other => Err(no_overload("_[_]", &[other, key])),
    }
}

fn at_optionally(of: &Value, key: &Value) -> Found {
    let of = match of {
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => inner,
        other => other,
    };
    match at(of, key) {
        Ok(found) => Ok(Value::Optional(Some(Arc::new(found)))),
        Err(EvaluateError::NoSuchOverload(name)) => Err(EvaluateError::NoSuchOverload(name)),
        Err(_) => Ok(Value::Optional(None)),
    }
}

/// The error of a function or operator that does not take such values.
pub(crate) fn no_overload(name: &str, values: &[&Value]) -> EvaluateError {
    let types: Vec<&str> = values.iter().map(|value| value.type_name()).collect();
    EvaluateError::NoSuchOverload(format!("{name}({})", types.join(", ")))
}
