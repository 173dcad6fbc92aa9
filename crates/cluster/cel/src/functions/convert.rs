//! From one type to another.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use jiff::Timestamp;

use super::time;
use crate::evaluate::{Evaluation, Found};
use crate::program::EvaluateError;
use crate::value::{Value, whole};

/// Calls a function of this library.
pub(super) fn call(evaluation: &mut Evaluation, name: &str, method: bool, values: &[Value]) -> Option<Found> {
    let [value] = values else { return None };
    if let Err(problem) = spend(evaluation, value) {
        return Some(Err(problem));
    }
    match (name, value) {
        ("dyn", value) => Some(Ok(value.clone())),
        ("type", value) => Some(Ok(Value::Type(value.type_name()))),
        ("string", value) => string(value).map(|text| Ok(Value::text(&text))),
        _ if method => None,
        ("int", value) => int(value),
        ("uint", value) => uint(value),
        ("double", Value::Text(text)) => {
            Some(text.parse().map(Value::Double).map_err(|_| bad("double", text)))
        }
        ("double", value) => to_double(value).map(|number| Ok(Value::Double(number))),
        ("bool", Value::Bool(flag)) => Some(Ok(Value::Bool(*flag))),
        ("bool", Value::Text(text)) => Some(match &**text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(bad("bool", text)),
        }),
        ("bytes", Value::Text(text)) => Some(Ok(Value::Bytes(text.as_bytes().into()))),
        ("bytes", Value::Bytes(bytes)) => Some(Ok(Value::Bytes(bytes.clone()))),
        ("timestamp", Value::Timestamp(at)) => Some(Ok(Value::Timestamp(*at))),
        ("timestamp", Value::Int(seconds)) => Some(
            Timestamp::from_second(*seconds)
                .map(Value::Timestamp)
                .map_err(|_| EvaluateError::Failed("timestamp overflow".to_owned())),
        ),
        ("timestamp", Value::Text(text)) => Some(
            text.parse()
                .map(Value::Timestamp)
                .map_err(|_| bad("timestamp", text)),
        ),
        ("duration", Value::Duration(length)) => Some(Ok(Value::Duration(*length))),
        ("duration", Value::Text(text)) => Some(
            time::parse_duration(text)
                .map(Value::Duration)
                .ok_or_else(|| bad("duration", text)),
        ),
        ("base64.encode", Value::Bytes(bytes)) => Some(Ok(Value::text(&STANDARD.encode(bytes)))),
        ("base64.decode", Value::Text(text)) => Some(decode(text)),
        _ => None,
    }
}

fn spend(evaluation: &mut Evaluation, value: &Value) -> Result<(), EvaluateError> {
    match value {
        Value::Text(text) => evaluation.budget.spend_bytes(text.len()),
        Value::Bytes(bytes) => evaluation.budget.spend_bytes(bytes.len()),
        _ => Ok(()),
    }
}

fn bad(what: &str, text: &str) -> EvaluateError {
    EvaluateError::Failed(format!(
        "type conversion error from 'string' to '{what}': {text:?}"
    ))
}

fn overflow(what: &str) -> EvaluateError {
    EvaluateError::Failed(format!("{what} overflow"))
}

fn string(value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Timestamp(_)
        | Value::Duration(_)
        | Value::Ip(_)
        | Value::Cidr(..)
        | Value::Url(_)
        | Value::Semver(_)
        | Value::Quantity(_) => value.to_json()?.as_str()?.to_owned(),
        _ => return None,
    })
}

fn int(value: &Value) -> Option<Found> {
    let number = match value {
        Value::Int(number) => return Some(Ok(Value::Int(*number))),
        Value::Uint(number) => i64::try_from(*number).ok(),
        Value::Double(number) => whole(number.trunc()).and_then(|number| i64::try_from(number).ok()),
        Value::Timestamp(at) => Some(at.as_second()),
        Value::Text(text) => return Some(text.parse().map(Value::Int).map_err(|_| bad("int", text))),
        _ => return None,
    };
    Some(number.map(Value::Int).ok_or_else(|| overflow("integer")))
}

fn uint(value: &Value) -> Option<Found> {
    let number = match value {
        Value::Uint(number) => return Some(Ok(Value::Uint(*number))),
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Double(number) => whole(number.trunc()).and_then(|number| u64::try_from(number).ok()),
        Value::Text(text) => return Some(text.parse().map(Value::Uint).map_err(|_| bad("uint", text))),
        _ => return None,
    };
    Some(
        number
            .map(Value::Uint)
            .ok_or_else(|| overflow("unsigned integer")),
    )
}

/// A number as a double.
#[expect(clippy::cast_precision_loss, reason = "what a conversion to double means")]
pub(super) fn to_double(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        _ => None,
    }
}

fn decode(text: &str) -> Found {
    let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
    decoded
        .map(|bytes| Value::Bytes(bytes.into()))
        .map_err(|_| EvaluateError::Failed("illegal base64 data".to_owned()))
}
