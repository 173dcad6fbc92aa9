//! `"%s has %d".format([...])`, and quoting.

use std::fmt::Write as _;

use super::convert;
use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::{Value, duration_text};

/// Digits after the point at most.
const PRECISION: usize = 100;

/// The text in quotes, with what is special escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// Fills a template.
pub(super) fn format(evaluation: &mut Evaluation, template: &str, args: &[Value]) -> Found {
    let failed = |problem: &str| EvaluateError::Failed(format!("error during formatting: {problem}"));
    let mut made = String::new();
    let mut args = args.iter();
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        made.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            made.push('%');
            rest = after;
            continue;
        }
        let mut precision = 6;
        if let Some(after) = rest.strip_prefix('.') {
            let end = after
                .find(|digit: char| !digit.is_ascii_digit())
                .unwrap_or(after.len());
            precision = after[..end].parse().map_err(|_| failed("invalid precision"))?;
            rest = &after[end..];
        }
        let clause = rest
            .chars()
            .next()
            .ok_or_else(|| failed("unexpected end of string"))?;
        rest = &rest[clause.len_utf8()..];
        let arg = args.next().ok_or_else(|| failed("index out of range"))?;
        let text = clause_text(clause, precision.min(PRECISION), arg).ok_or_else(|| {
            failed(&format!(
                "%{clause} does not take a value of type {}",
                arg.type_name()
            ))
        })?;
        evaluation.budget.spend_bytes(text.len())?;
        made.push_str(&text);
    }
    made.push_str(rest);
    evaluation.budget.spend_bytes(made.len())?;
    Ok(Value::text(&made))
}

fn clause_text(clause: char, precision: usize, arg: &Value) -> Option<String> {
    match (clause, arg) {
        ('s', value) => Some(shown(value)),
        ('d', Value::Int(number)) => Some(number.to_string()),
        ('d', Value::Uint(number)) => Some(number.to_string()),
        ('d', Value::Double(number)) => Some(number.to_string()),
        ('f', value) => Some(format!("{:.precision$}", convert::to_double(value)?)),
        ('e', value) => Some(exponential(convert::to_double(value)?, precision)),
        ('b', Value::Bool(flag)) => Some(i32::from(*flag).to_string()),
        ('b', Value::Int(number)) => Some(signed(*number, |number| format!("{number:b}"))),
        ('b', Value::Uint(number)) => Some(format!("{number:b}")),
        ('o', Value::Int(number)) => Some(signed(*number, |number| format!("{number:o}"))),
        ('o', Value::Uint(number)) => Some(format!("{number:o}")),
        ('x' | 'X', value) => {
            let text = match value {
                Value::Int(number) => signed(*number, |number| format!("{number:x}")),
                Value::Uint(number) => format!("{number:x}"),
                Value::Text(text) => hex(text.as_bytes()),
                Value::Bytes(bytes) => hex(bytes),
                _ => return None,
            };
            Some(if clause == 'X' { text.to_uppercase() } else { text })
        }
        _ => None,
    }
}

fn signed(number: i64, write: impl Fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", write(number.unsigned_abs()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Go writes at least two digits of the exponent, with its sign.
fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let (sign, exponent) = exponent
        .strip_prefix('-')
        .map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// The value as `%s` shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Duration(length) => duration_text(*length),
        Value::Type(name) | Value::Format(name) => (*name).to_owned(),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}: {}", shown(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => match other.to_json() {
            Some(serde_json::Value::String(text)) => text,
            Some(json) => json.to_string(),
            None => other.type_name().to_owned(),
        },
    }
}
