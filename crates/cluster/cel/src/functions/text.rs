//! Texts: CEL's own methods, the strings extension, and Kubernetes' regular expressions.

use std::sync::Arc;

use super::template;
use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::Value;

/// Bytes of a compiled pattern at most.
const PATTERN_BYTES: usize = 1 << 20;

/// Calls a function of this library.
pub(super) fn call(evaluation: &mut Evaluation, name: &str, method: bool, values: &[Value]) -> Option<Found> {
    use Value::{Int, List, Text};
    if let Some(Text(text)) = values.first()
        && let Err(problem) = evaluation.budget.spend_bytes(text.len())
    {
        return Some(Err(problem));
    }
    let flag = |flag: bool| Some(Ok(Value::Bool(flag)));
    let text = |text: String| Some(Ok(Value::text(&text)));
    match (name, values) {
        ("size", [Text(of)]) => Some(Ok(length(of.chars().count()))),
        ("size", [Value::Bytes(of)]) => Some(Ok(length(of.len()))),
        ("contains", [Text(of), Text(part)]) => flag(of.contains(&**part)),
        ("startsWith", [Text(of), Text(part)]) => flag(of.starts_with(&**part)),
        ("endsWith", [Text(of), Text(part)]) => flag(of.ends_with(&**part)),
        ("matches", [Text(of), Text(pattern)]) => Some(
            evaluation
                .pattern(pattern)
                .map(|found| Value::Bool(found.is_match(of))),
        ),
        ("find", [Text(of), Text(pattern)]) => Some(
            evaluation
                .pattern(pattern)
                .map(|found| Value::text(found.find(of).map_or("", |found| found.as_str()))),
        ),
        ("findAll", [Text(of), Text(pattern)]) => Some(find_all(evaluation, of, pattern, -1)),
        ("findAll", [Text(of), Text(pattern), Int(limit)]) => Some(find_all(evaluation, of, pattern, *limit)),
        ("charAt", [Text(of), Int(index)]) => Some(char_at(of, *index)),
        ("indexOf", [Text(of), Text(part)]) => Some(index_of(of, part, 0)),
        ("indexOf", [Text(of), Text(part), Int(from)]) => Some(index_of(of, part, *from)),
        ("lastIndexOf", [Text(of), Text(part)]) => Some(last_index_of(of, part, i64::MAX)),
        ("lastIndexOf", [Text(of), Text(part), Int(until)]) => Some(last_index_of(of, part, *until)),
        ("lowerAscii", [Text(of)]) => text(of.to_ascii_lowercase()),
        ("upperAscii", [Text(of)]) => text(of.to_ascii_uppercase()),
        ("trim", [Text(of)]) => text(of.trim().to_owned()),
        ("reverse", [Text(of)]) => text(of.chars().rev().collect()),
        ("replace", [Text(of), Text(from), Text(to)]) => Some(replace(evaluation, of, from, to, -1)),
        ("replace", [Text(of), Text(from), Text(to), Int(limit)]) => {
            Some(replace(evaluation, of, from, to, *limit))
        }
        ("split", [Text(of), Text(by)]) => Some(split(evaluation, of, by, -1)),
        ("split", [Text(of), Text(by), Int(limit)]) => Some(split(evaluation, of, by, *limit)),
        ("substring", [Text(of), Int(from)]) => Some(substring(of, *from, None)),
        ("substring", [Text(of), Int(from), Int(to)]) => Some(substring(of, *from, Some(*to))),
        ("strings.quote", [Text(of)]) => text(template::quoted(of)),
        ("format", [Text(of), List(args)]) if method => Some(template::format(evaluation, of, args)),
        _ => None,
    }
}

/// A length as a value.
pub(super) fn length(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

impl Evaluation {
    /// A pattern in RE2's syntax, compiled once for each evaluation.
    fn pattern(&mut self, pattern: &Arc<str>) -> Result<&regex::Regex, EvaluateError> {
        self.budget.spend(1 + pattern.len() / 4)?;
        if !self.patterns.contains_key(pattern) {
            let compiled = crate::pattern(pattern, PATTERN_BYTES);
            let compiled = compiled
                .map_err(|problem| EvaluateError::Failed(format!("error parsing regexp: {problem}")))?;
            self.patterns.insert(pattern.clone(), compiled);
        }
        self.patterns.get(pattern).ok_or(EvaluateError::Exhausted)
    }
}

fn find_all(evaluation: &mut Evaluation, of: &str, pattern: &Arc<str>, limit: i64) -> Found {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found: Vec<Value> = evaluation
        .pattern(pattern)?
        .find_iter(of)
        .take(limit)
        .map(|found| Value::text(found.as_str()))
        .collect();
    evaluation.budget.spend(found.len())?;
    Ok(Value::list(found))
}

fn out_of_range(index: i64) -> EvaluateError {
    EvaluateError::Failed(format!("index out of range: {index}"))
}

/// The byte at which a character begins; the end counts as one.
fn offset(of: &str, index: i64) -> Result<usize, EvaluateError> {
    let wanted = usize::try_from(index).map_err(|_| out_of_range(index))?;
    let mut starts = of.char_indices().map(|(at, _)| at).chain([of.len()]);
    starts.nth(wanted).ok_or_else(|| out_of_range(index))
}

fn char_at(of: &str, index: i64) -> Found {
    let start = offset(of, index)?;
    let found = of[start..].chars().next().map(String::from).unwrap_or_default();
    Ok(Value::text(&found))
}

fn index_of(of: &str, part: &str, from: i64) -> Found {
    let start = offset(of, from)?;
    let found = of[start..].find(part).map(|at| of[..start + at].chars().count());
    Ok(found.map_or(Value::Int(-1), length))
}

fn last_index_of(of: &str, part: &str, until: i64) -> Found {
    if until < 0 {
        return Err(out_of_range(until));
    }
    let end = match offset(of, until) {
        Ok(start) => (start + part.len()).min(of.len()),
        Err(_) => of.len(),
    };
    let end = (end..=of.len())
        .find(|at| of.is_char_boundary(*at))
        .unwrap_or(of.len());
    Ok(of[..end]
        .rfind(part)
        .map_or(Value::Int(-1), |at| length(of[..at].chars().count())))
}

fn replace(evaluation: &mut Evaluation, of: &str, from: &str, to: &str, limit: i64) -> Found {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // What it will be at most, paid for before it is made.
    let places = of.matches(from).take(limit).count();
    evaluation
        .budget
        .spend_bytes(of.len().saturating_add(places.saturating_mul(to.len())))?;
    Ok(Value::text(&of.replacen(from, to, limit)))
}

fn split(evaluation: &mut Evaluation, of: &str, by: &str, limit: i64) -> Found {
    evaluation.budget.spend(of.len() / 4)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return Ok(Value::list(Vec::new()));
    }
    let parts: Vec<Value> = if by.is_empty() {
        let count = of.chars().count().min(limit);
        let ends: Vec<usize> = of
            .char_indices()
            .map(|(at, _)| at)
            .take(count)
            .chain([of.len()])
            .collect();
        ends.windows(2)
            .filter_map(|ends| of.get(ends[0]..ends[1]))
            .map(Value::text)
            .collect()
    } else {
        of.splitn(limit, by).map(Value::text).collect()
    };
    evaluation.budget.spend(parts.len())?;
    Ok(Value::list(parts))
}

fn substring(of: &str, from: i64, to: Option<i64>) -> Found {
    let start = offset(of, from)?;
    let end = to.map_or(Ok(of.len()), |to| offset(of, to))?;
    if end < start {
        return Err(EvaluateError::Failed(format!(
            "invalid substring range. start: {from}, end: {}",
            to.unwrap_or_default()
        )));
    }
    Ok(Value::text(&of[start..end]))
}
