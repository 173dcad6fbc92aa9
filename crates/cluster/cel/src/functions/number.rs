//! The math extension.

use std::cmp::Ordering;

use crate::evaluate::{Evaluation, Found, no_overload};
use crate::program::EvaluateError;
use crate::value::{Value, compare};

/// Calls a function of this library.
pub(super) fn call(_: &mut Evaluation, name: &str, _method: bool, values: &[Value]) -> Option<Found> {
    use Value::{Double, Int, Uint};
    let name = name.strip_prefix("math.")?;
    match (name, values) {
        ("greatest", values) => Some(extreme(name, values, Ordering::Greater)),
        ("least", values) => Some(extreme(name, values, Ordering::Less)),
        ("ceil", [Double(number)]) => Some(Ok(Double(number.ceil()))),
        ("floor", [Double(number)]) => Some(Ok(Double(number.floor()))),
        ("round", [Double(number)]) => Some(Ok(Double(number.round()))),
        ("trunc", [Double(number)]) => Some(Ok(Double(number.trunc()))),
        ("sqrt", [value]) => super::convert::to_double(value).map(|number| Ok(Double(number.sqrt()))),
        ("isNaN", [Double(number)]) => Some(Ok(Value::Bool(number.is_nan()))),
        ("isInf", [Double(number)]) => Some(Ok(Value::Bool(number.is_infinite()))),
        ("isFinite", [Double(number)]) => Some(Ok(Value::Bool(number.is_finite()))),
        ("abs", [Double(number)]) => Some(Ok(Double(number.abs()))),
        ("abs", [Int(number)]) => Some(
            number
                .checked_abs()
                .map(Int)
                .ok_or_else(|| EvaluateError::Failed("integer overflow".to_owned())),
        ),
        ("abs", [Uint(number)]) => Some(Ok(Uint(*number))),
        ("sign", [Double(number)]) => Some(Ok(Double(if *number == 0.0 || number.is_nan() {
            *number
        } else {
            number.signum()
        }))),
        ("sign", [Int(number)]) => Some(Ok(Int(number.signum()))),
        ("sign", [Uint(number)]) => Some(Ok(Uint(u64::from(*number > 0)))),
        (name, values) => bits(name, values),
    }
}

fn extreme(name: &str, values: &[Value], wanted: Ordering) -> Found {
    let values: &[Value] = match values {
        [Value::List(items)] => items,
        other => other,
    };
    let mut items = values.iter();
    let mut found = items.next().ok_or_else(|| no_overload(name, &[]))?;
    for item in items {
        let order = compare(item, found).ok_or_else(|| no_overload(name, &[item, found]))?;
        if order == wanted {
            found = item;
        }
    }
    match found {
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => Ok(found.clone()),
        other => Err(no_overload(name, &[other])),
    }
}

fn bits(name: &str, values: &[Value]) -> Option<Found> {
    use Value::{Int, Uint};
    let shift = |by: &i64| {
        let by = u32::try_from(*by);
        by.map_err(|_| EvaluateError::Failed(format!("math.{name}() negative offset: {}", values.len())))
    };
    match (name, values) {
        ("bitAnd", [Int(a), Int(b)]) => Some(Ok(Int(a & b))),
        ("bitAnd", [Uint(a), Uint(b)]) => Some(Ok(Uint(a & b))),
        ("bitOr", [Int(a), Int(b)]) => Some(Ok(Int(a | b))),
        ("bitOr", [Uint(a), Uint(b)]) => Some(Ok(Uint(a | b))),
        ("bitXor", [Int(a), Int(b)]) => Some(Ok(Int(a ^ b))),
        ("bitXor", [Uint(a), Uint(b)]) => Some(Ok(Uint(a ^ b))),
        ("bitNot", [Int(a)]) => Some(Ok(Int(!a))),
        ("bitNot", [Uint(a)]) => Some(Ok(Uint(!a))),
        ("bitShiftLeft", [Int(a), Int(by)]) => Some(shift(by).map(|by| Int(a.checked_shl(by).unwrap_or(0)))),
        ("bitShiftLeft", [Uint(a), Int(by)]) => {
            Some(shift(by).map(|by| Uint(a.checked_shl(by).unwrap_or(0))))
        }
        // The sign is a bit like any other.
        ("bitShiftRight", [Int(a), Int(by)]) => {
            Some(shift(by).map(|by| Int(a.cast_unsigned().checked_shr(by).unwrap_or(0).cast_signed())))
        }
        ("bitShiftRight", [Uint(a), Int(by)]) => {
            Some(shift(by).map(|by| Uint(a.checked_shr(by).unwrap_or(0))))
        }
        _ => None,
    }
}
