//! Operators on two values: arithmetic, comparison, membership.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::budget::Budget;
use crate::evaluate::{Found, no_overload};
use crate::program::EvaluateError;
use crate::syntax::Operator;
use crate::value::{Key, Value, compare};

/// Applies an operator.
pub(crate) fn apply(operator: Operator, a: &Value, b: &Value, budget: &mut Budget) -> Found {
    let ordered = |name: &str, wanted: &[Ordering]| match compare(a, b) {
        Some(found) if is_ordered(a) => Ok(Value::Bool(wanted.contains(&found))),
        None if is_number(a) && is_number(b) => Ok(Value::Bool(false)),
        _ => Err(no_overload(name, &[a, b])),
    };
    match operator {
        Operator::Equal => equal(a, b, budget).map(Value::Bool),
        Operator::Unequal => equal(a, b, budget).map(|same| Value::Bool(!same)),
        Operator::Less => ordered("_<_", &[Ordering::Less]),
        Operator::LessEqual => ordered("_<=_", &[Ordering::Less, Ordering::Equal]),
        Operator::Greater => ordered("_>_", &[Ordering::Greater]),
        Operator::GreaterEqual => ordered("_>=_", &[Ordering::Greater, Ordering::Equal]),
        Operator::In => contains(a, b, budget),
        Operator::Add => add(a, b, budget),
        Operator::Subtract => subtract(a, b),
        Operator::Multiply | Operator::Divide | Operator::Remainder => scale(operator, a, b),
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_))
}

fn is_ordered(value: &Value) -> bool {
    !matches!(value, Value::Quantity(_) | Value::Semver(_))
}

/// Equality, paid for by size.
pub(crate) fn equal(a: &Value, b: &Value, budget: &mut Budget) -> Result<bool, EvaluateError> {
    budget.spend(size(a).min(size(b)))?;
    Ok(a == b)
}

/// How much there is to compare, about.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len() / 16,
        Value::Bytes(bytes) => bytes.len() / 16,
        Value::List(items) => items.iter().map(|item| 1 + size(item)).sum(),
        Value::Map(map) => map.values().map(|item| 2 + size(item)).sum(),
        _ => 0,
    }
}

fn contains(item: &Value, of: &Value, budget: &mut Budget) -> Found {
    match of {
        Value::List(items) => {
            for found in items.iter() {
                budget.spend(1)?;
                if equal(found, item, budget)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        Value::Map(map) => Ok(Value::Bool(
            Key::of(item).is_some_and(|key| map.contains_key(&key)),
        )),
        other => Err(no_overload("@in", &[item, other])),
    }
}

fn overflow() -> EvaluateError {
    EvaluateError::Failed("integer overflow".to_owned())
}

fn moment_overflow() -> EvaluateError {
    EvaluateError::Failed("timestamp overflow".to_owned())
}

fn add(a: &Value, b: &Value, budget: &mut Budget) -> Found {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::Int).ok_or_else(overflow),
        (Value::Uint(a), Value::Uint(b)) => a.checked_add(*b).map(Value::Uint).ok_or_else(overflow),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::Text(a), Value::Text(b)) => {
            budget.spend_bytes(a.len() + b.len())?;
            Ok(Value::text(&format!("{a}{b}")))
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            budget.spend_bytes(a.len() + b.len())?;
            Ok(Value::Bytes([&**a, &**b].concat().into()))
        }
        (Value::List(a), Value::List(b)) => {
            budget.spend(a.len() + b.len())?;
            Ok(Value::List(Arc::new(a.iter().chain(b.iter()).cloned().collect())))
        }
        (Value::Timestamp(at), Value::Duration(by)) | (Value::Duration(by), Value::Timestamp(at)) => {
            shift(*at, Some(*by))
        }
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_add(*b).map(Value::Duration).ok_or_else(overflow)
        }
        _ => Err(no_overload("_+_", &[a, b])),
    }
}

fn shift(at: Timestamp, by: Option<SignedDuration>) -> Found {
    let moved = by.and_then(|by| at.checked_add(by).ok());
    moved.map(Value::Timestamp).ok_or_else(moment_overflow)
}

fn subtract(a: &Value, b: &Value) -> Found {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.checked_sub(*b).map(Value::Int).ok_or_else(overflow),
        (Value::Uint(a), Value::Uint(b)) => a.checked_sub(*b).map(Value::Uint).ok_or_else(overflow),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Ok(Value::Duration(a.duration_since(*b))),
        (Value::Timestamp(at), Value::Duration(by)) => shift(*at, by.checked_neg()),
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_sub(*b).map(Value::Duration).ok_or_else(overflow)
        }
        _ => Err(no_overload("_-_", &[a, b])),
    }
}

fn scale(operator: Operator, a: &Value, b: &Value) -> Found {
    let by_zero = |what: &str| EvaluateError::Failed(what.to_owned());
    match (operator, a, b) {
        (Operator::Multiply, Value::Int(a), Value::Int(b)) => {
            a.checked_mul(*b).map(Value::Int).ok_or_else(overflow)
        }
        (Operator::Multiply, Value::Uint(a), Value::Uint(b)) => {
            a.checked_mul(*b).map(Value::Uint).ok_or_else(overflow)
        }
        (Operator::Multiply, Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
        (Operator::Divide, Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
        (Operator::Divide, Value::Int(_), Value::Int(0))
        | (Operator::Divide, Value::Uint(_), Value::Uint(0)) => Err(by_zero("division by zero")),
        (Operator::Divide, Value::Int(a), Value::Int(b)) => {
            a.checked_div(*b).map(Value::Int).ok_or_else(overflow)
        }
        (Operator::Divide, Value::Uint(a), Value::Uint(b)) => Ok(Value::Uint(a / b)),
        (Operator::Remainder, Value::Int(_), Value::Int(0))
        | (Operator::Remainder, Value::Uint(_), Value::Uint(0)) => Err(by_zero("modulus by zero")),
        (Operator::Remainder, Value::Int(a), Value::Int(b)) => {
            a.checked_rem(*b).map(Value::Int).ok_or_else(overflow)
        }
        (Operator::Remainder, Value::Uint(a), Value::Uint(b)) => Ok(Value::Uint(a % b)),
        (Operator::Multiply, ..) => Err(no_overload("_*_", &[a, b])),
        (Operator::Divide, ..) => Err(no_overload("_/_", &[a, b])),
        _ => Err(no_overload("_%_", &[a, b])),
    }
}

/// The value with its sign turned.
pub(crate) fn negate(value: &Value) -> Found {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Double(number) => Ok(Value::Double(-number)),
        other => Err(no_overload("-_", &[other])),
    }
}
