//! Lists and sets: CEL's `size`, Kubernetes' list library, the lists and sets extensions.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::text::length;
use crate::evaluate::{Evaluation, Found, no_overload};
use crate::operators::{self, equal};
use crate::program::EvaluateError;
use crate::syntax::Operator;
use crate::value::{Key, Value, compare};

/// Numbers that `lists.range` makes at most.
const RANGE: i64 = 100_000;

/// Calls a function of this library.
pub(super) fn call(evaluation: &mut Evaluation, name: &str, method: bool, values: &[Value]) -> Option<Found> {
    use Value::{Int, List, Text};
    if let Some(List(items)) = values.first()
        && let Err(problem) = evaluation.budget.spend(items.len())
    {
        return Some(Err(problem));
    }
    match (name, values) {
        ("size", [List(of)]) => Some(Ok(length(of.len()))),
        ("size", [Value::Map(of)]) => Some(Ok(length(of.len()))),
        ("isSorted", [List(of)]) => Some(is_sorted(of)),
        ("sum", [List(of)]) => Some(sum(evaluation, of)),
        ("min", [List(of)]) => Some(extreme("min", of, Ordering::Less)),
        ("max", [List(of)]) => Some(extreme("max", of, Ordering::Greater)),
        ("indexOf", [List(of), item]) => Some(position(evaluation, of.iter().enumerate(), item)),
        ("lastIndexOf", [List(of), item]) => Some(position(evaluation, of.iter().enumerate().rev(), item)),
        ("join", [List(of)]) if method => Some(join(evaluation, of, "")),
        ("join", [List(of), Text(by)]) if method => Some(join(evaluation, of, by)),
        ("distinct", [List(of)]) => Some(distinct(evaluation, of)),
        ("flatten", [List(of)]) => Some(flatten(evaluation, of, 1)),
        ("flatten", [List(of), Int(depth)]) => Some(flatten(evaluation, of, *depth)),
        ("reverse", [List(of)]) => Some(Ok(Value::list(of.iter().rev().cloned().collect()))),
        ("slice", [List(of), Int(from), Int(to)]) => Some(slice(of, *from, *to)),
        ("sort", [List(of)]) => Some(sorted_by(
            of.iter().map(|item| (item.clone(), item.clone())).collect(),
        )),
        ("first", [List(of)]) => Some(Ok(Value::Optional(of.first().cloned().map(Arc::new)))),
        ("last", [List(of)]) => Some(Ok(Value::Optional(of.last().cloned().map(Arc::new)))),
        ("lists.range", [Int(count)]) => Some(range(evaluation, *count)),
        ("sets.contains", [List(of), List(wanted)]) => {
            Some(contains_all(evaluation, of, wanted).map(Value::Bool))
        }
        ("sets.equivalent", [List(a), List(b)]) => Some(equivalent(evaluation, a, b).map(Value::Bool)),
        ("sets.intersects", [List(a), List(b)]) => Some(intersects(evaluation, a, b).map(Value::Bool)),
        _ => None,
    }
}

/// The second of each pair, in the order of the first.
pub(crate) fn sorted_by(mut keyed: Vec<(Value, Value)>) -> Found {
    if let Some((first, _)) = keyed.first() {
        let first = first.clone();
        if let Some((odd, _)) = keyed.iter().find(|(key, _)| compare(&first, key).is_none()) {
            return Err(no_overload("sort", &[&first, odd]));
        }
    }
    keyed.sort_by(|(a, _), (b, _)| compare(a, b).unwrap_or(Ordering::Equal));
    Ok(Value::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn is_sorted(of: &[Value]) -> Found {
    for pair in of.windows(2) {
        match compare(&pair[0], &pair[1]) {
            Some(Ordering::Greater) => return Ok(Value::Bool(false)),
            Some(_) => {}
            None => return Err(no_overload("isSorted", &[&pair[0], &pair[1]])),
        }
    }
    Ok(Value::Bool(true))
}

fn sum(evaluation: &mut Evaluation, of: &[Value]) -> Found {
    let mut total = of.first().cloned().unwrap_or(Value::Int(0));
    if !matches!(
        total,
        Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_)
    ) {
        return Err(no_overload("sum", &[&total]));
    }
    for item in of.iter().skip(1) {
        total = operators::apply(Operator::Add, &total, item, &mut evaluation.budget)?;
    }
    Ok(total)
}

fn extreme(name: &str, of: &[Value], wanted: Ordering) -> Found {
    let mut items = of.iter();
    let mut found = items
        .next()
        .ok_or_else(|| EvaluateError::Failed(format!("{name} called on empty list")))?;
    for item in items {
        let order = compare(item, found).ok_or_else(|| no_overload(name, &[item, found]))?;
        if order == wanted {
            found = item;
        }
    }
    Ok(found.clone())
}

fn position<'a>(
    evaluation: &mut Evaluation,
    items: impl Iterator<Item = (usize, &'a Value)>,
    wanted: &Value,
) -> Found {
    for (index, item) in items {
        if equal(item, wanted, &mut evaluation.budget)? {
            return Ok(length(index));
        }
    }
    Ok(Value::Int(-1))
}

fn join(evaluation: &mut Evaluation, of: &[Value], by: &str) -> Found {
    let mut parts: Vec<&str> = Vec::with_capacity(of.len());
    for item in of {
        let Value::Text(text) = item else {
            return Err(no_overload("join", &[item]));
        };
        evaluation.budget.spend_bytes(text.len() + by.len())?;
        parts.push(text);
    }
    Ok(Value::text(&parts.join(by)))
}

fn distinct(evaluation: &mut Evaluation, of: &[Value]) -> Found {
    let mut keys = BTreeSet::new();
    let mut kept: Vec<Value> = Vec::new();
    for item in of {
        let is_new = match item {
            Value::Text(_) | Value::Bool(_) | Value::Int(_) | Value::Uint(_) => {
                Key::of(item).is_some_and(|key| keys.insert(key))
            }
            other => !contains(evaluation, &kept, other)?,
        };
        if is_new {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

fn flatten(evaluation: &mut Evaluation, of: &[Value], depth: i64) -> Found {
    if depth < 0 {
        return Err(EvaluateError::Failed("level must be non-negative".to_owned()));
    }
    let mut items = of.to_vec();
    for _ in 0..depth {
        if !items.iter().any(|item| matches!(item, Value::List(_))) {
            break;
        }
        let mut flat = Vec::new();
        for item in items {
            match item {
                Value::List(inner) => {
                    evaluation.budget.spend(inner.len() + 1)?;
                    flat.extend(inner.iter().cloned());
                }
                other => flat.push(other),
            }
        }
        evaluation.budget.spend(flat.len())?;
        items = flat;
    }
    Ok(Value::list(items))
}

fn slice(of: &[Value], from: i64, to: i64) -> Found {
    let failed = || EvaluateError::Failed(format!("cannot slice({from}, {to}), list is length {}", of.len()));
    let (start, end) = (
        usize::try_from(from).map_err(|_| failed())?,
        usize::try_from(to).map_err(|_| failed())?,
    );
    of.get(start..end)
        .map(|part| Value::list(part.to_vec()))
        .ok_or_else(failed)
}

fn range(evaluation: &mut Evaluation, count: i64) -> Found {
    if !(0..=RANGE).contains(&count) {
        return Err(EvaluateError::Failed(format!(
            "lists.range: {count} is not between 0 and {RANGE}"
        )));
    }
    evaluation
        .budget
        .spend(usize::try_from(count).unwrap_or_default())?;
    Ok(Value::list((0..count).map(Value::Int).collect()))
}

fn contains(evaluation: &mut Evaluation, of: &[Value], wanted: &Value) -> Result<bool, EvaluateError> {
    for item in of {
        evaluation.budget.spend(1)?;
        if equal(item, wanted, &mut evaluation.budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains_all(evaluation: &mut Evaluation, of: &[Value], wanted: &[Value]) -> Result<bool, EvaluateError> {
    for item in wanted {
        if !contains(evaluation, of, item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equivalent(evaluation: &mut Evaluation, a: &[Value], b: &[Value]) -> Result<bool, EvaluateError> {
    Ok(contains_all(evaluation, a, b)? && contains_all(evaluation, b, a)?)
}

fn intersects(evaluation: &mut Evaluation, a: &[Value], b: &[Value]) -> Result<bool, EvaluateError> {
    for item in b {
        if contains(evaluation, a, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}
