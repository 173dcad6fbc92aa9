//! Kubernetes' quantities and semantic versions.

use std::cmp::Ordering;
use std::sync::Arc;

use toolforge_model::Quantity;

use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::{Value, compare};

/// Billionths in one unit.
const NANOS: i128 = 1_000_000_000;

/// Calls a function of this library.
pub(super) fn call(_: &mut Evaluation, name: &str, _method: bool, values: &[Value]) -> Option<Found> {
    match (name, values) {
        ("isQuantity", [Value::Text(text)]) => Some(Ok(Value::Bool(text.parse::<Quantity>().is_ok()))),
        ("quantity", [Value::Text(text)]) => Some(
            text.parse()
                .map(Value::Quantity)
                .map_err(|problem| EvaluateError::Failed(format!("quantity parse error: {problem}"))),
        ),
        ("isSemver", [Value::Text(text)]) => Some(Ok(Value::Bool(version(text, false).is_some()))),
        ("isSemver", [Value::Text(text), Value::Bool(lenient)]) => {
            Some(Ok(Value::Bool(version(text, *lenient).is_some())))
        }
        ("semver", [Value::Text(text)]) => Some(to_version(text, false)),
        ("semver", [Value::Text(text), Value::Bool(lenient)]) => Some(to_version(text, *lenient)),
        ("major", [Value::Semver(version)]) => Some(Ok(part(version.major))),
        ("minor", [Value::Semver(version)]) => Some(Ok(part(version.minor))),
        ("patch", [Value::Semver(version)]) => Some(Ok(part(version.patch))),
        ("sign", [Value::Quantity(amount)]) => Some(Ok(Value::Int(
            i64::try_from(amount.nanos().signum()).unwrap_or_default(),
        ))),
        ("isInteger", [Value::Quantity(amount)]) => Some(Ok(Value::Bool(whole(*amount).is_some()))),
        ("asInteger", [Value::Quantity(amount)]) => Some(
            whole(*amount)
                .map(Value::Int)
                .ok_or_else(|| EvaluateError::Failed("cannot convert value to integer".to_owned())),
        ),
        ("asApproximateFloat", [Value::Quantity(amount)]) => Some(Ok(Value::Double(approximate(*amount)))),
        ("add", [Value::Quantity(a), b]) => Some(Ok(Value::Quantity(*a + amount(b)?))),
        ("sub", [Value::Quantity(a), b]) => Some(Ok(Value::Quantity(*a - amount(b)?))),
        ("isGreaterThan" | "isLessThan" | "compareTo", [a, b]) => ordered(name, a, b),
        _ => None,
    }
}

fn part(number: u64) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn amount(value: &Value) -> Option<Quantity> {
    match value {
        Value::Quantity(amount) => Some(*amount),
        Value::Int(units) => Some(Quantity::from_units(*units)),
        _ => None,
    }
}

fn whole(amount: Quantity) -> Option<i64> {
    (amount.nanos() % NANOS == 0)
        .then(|| i64::try_from(amount.nanos() / NANOS).ok())
        .flatten()
}

#[expect(clippy::cast_precision_loss, reason = "approximate is what was asked for")]
fn approximate(amount: Quantity) -> f64 {
    (amount.nanos() / NANOS) as f64 + (amount.nanos() % NANOS) as f64 / NANOS as f64
}

fn ordered(name: &str, a: &Value, b: &Value) -> Option<Found> {
    if !matches!(
        (a, b),
        (Value::Quantity(_), Value::Quantity(_)) | (Value::Semver(_), Value::Semver(_))
    ) {
        return None;
    }
    let order = compare(a, b)?;
    Some(Ok(match name {
        "isGreaterThan" => Value::Bool(order == Ordering::Greater),
        "isLessThan" => Value::Bool(order == Ordering::Less),
        _ => Value::Int(match order {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }),
    }))
}

fn to_version(text: &str, lenient: bool) -> Found {
    version(text, lenient)
        .map(|version| Value::Semver(Arc::new(version)))
        .ok_or_else(|| EvaluateError::Failed(format!("semver parse error: {text:?}")))
}

/// A version; leniently with a `v` before it, leading zeros, and without its last parts.
fn version(text: &str, lenient: bool) -> Option<semver::Version> {
    if !lenient {
        return text.parse().ok();
    }
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let mut numbers: Vec<u64> = numbers
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    if numbers.len() > 3 {
        return None;
    }
    numbers.resize(3, 0);
    format!("{}.{}.{}{rest}", numbers[0], numbers[1], numbers[2])
        .parse()
        .ok()
}
