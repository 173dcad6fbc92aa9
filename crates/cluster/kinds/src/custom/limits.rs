//! What a schema says of single values: ranges, lengths, patterns, formats, enumerations.

use regex::Regex;
use serde_json::Value;

use super::format;
use crate::FieldError;
use crate::value::Read as _;

/// Bytes of a compiled pattern at most: a thousand repetitions of any character fit, and Go takes no more of them.
const PATTERN_BYTES: usize = 4 << 20;

/// Compiles a pattern of a schema.
pub(crate) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    toolforge_cel::pattern(text, PATTERN_BYTES)
}

/// The limits of one schema.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    format: String,
    /// A pattern, and how the schema writes it.
    pattern: Option<(Regex, String)>,
    choices: Vec<Value>,
    minimum: Option<(f64, bool)>,
    maximum: Option<(f64, bool)>,
    multiple_of: Option<f64>,
    length: Range,
    items: Range,
    properties: Range,
    pub(crate) required: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Range {
    least: Option<usize>,
    most: Option<usize>,
}

impl Limits {
    /// Reads the limits of a schema.
    pub(crate) fn of(schema: &Value) -> Self {
        let count = |field: &str| schema.int(field).and_then(|number| usize::try_from(number).ok());
        let range = |least: &str, most: &str| Range {
            least: count(least),
            most: count(most),
        };
        let number = |field: &str| schema.get(field).and_then(Value::as_f64);
        Self {
            format: schema.text("format").to_owned(),
            pattern: Some(schema.text("pattern"))
                .filter(|text| !text.is_empty())
                .and_then(|text| Some((pattern(text).ok()?, text.to_owned()))),
            choices: schema.list("enum").to_vec(),
            minimum: number("minimum").map(|limit| (limit, schema.flag("exclusiveMinimum"))),
            maximum: number("maximum").map(|limit| (limit, schema.flag("exclusiveMaximum"))),
            multiple_of: number("multipleOf"),
            length: range("minLength", "maxLength"),
            items: range("minItems", "maxItems"),
            properties: range("minProperties", "maxProperties"),
            required: schema
                .list("required")
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// The format of texts, such as `date-time`.
    pub(crate) fn format(&self) -> &str {
        &self.format
    }

    /// Checks one value.
    pub(crate) fn check(&self, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        match value {
            Value::String(text) => self.check_text(text, path, errors),
            Value::Number(number) => {
                self.check_number(number.as_f64().unwrap_or_default(), value, path, errors);
            }
            Value::Array(items) => self.check_items(items.len(), path, errors),
            Value::Object(map) => self.check_properties(map.len(), path, errors),
            Value::Null | Value::Bool(_) => {}
        }
        if !self.choices.is_empty() && !self.choices.contains(value) {
            let choices: Vec<String> = self
                .choices
                .iter()
                .map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned))
                .collect();
            let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
            errors.push(FieldError::not_supported(path, value.clone(), &choices));
        }
    }

    fn check_text(&self, text: &str, path: &str, errors: &mut Vec<FieldError>) {
        let length = text.chars().count();
        if self.length.most.is_some_and(|most| length > most) {
            errors.push(FieldError::too_long(path, self.length.most.unwrap_or_default()));
        }
        if let Some(least) = self.length.least.filter(|least| length < *least) {
            let detail = format!("{path} in body should be at least {least} chars long");
            errors.push(FieldError::invalid(path, text, &detail));
        }
        if let Some((_, pattern)) = self.pattern.as_ref().filter(|(regex, _)| !regex.is_match(text)) {
            let detail = format!("{path} in body should match '{pattern}'");
            errors.push(FieldError::invalid(path, text, &detail));
        }
        if !format::holds(&self.format, text) {
            let detail = format!(
                "{path} in body must be of type {}: {}",
                self.format,
                crate::field_error::go_quote(text)
            );
            errors.push(FieldError::invalid(path, text, &detail));
        }
    }

    fn check_number(&self, number: f64, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let mut refuse = |rule: &str, limit: f64| {
            let detail = format!("{path} in body should be {rule} {}", plain(limit));
            errors.push(FieldError::invalid(path, value.clone(), &detail));
        };
        match self.maximum {
            Some((limit, true)) if number >= limit => refuse("less than", limit),
            Some((limit, false)) if number > limit => refuse("less than or equal to", limit),
            _ => {}
        }
        match self.minimum {
            Some((limit, true)) if number <= limit => refuse("greater than", limit),
            Some((limit, false)) if number < limit => refuse("greater than or equal to", limit),
            _ => {}
        }
        if let Some(of) = self
            .multiple_of
            .filter(|of| *of > 0.0 && (number / of).fract() != 0.0)
        {
            refuse("a multiple of", of);
        }
    }

    fn check_items(&self, count: usize, path: &str, errors: &mut Vec<FieldError>) {
        if let Some(least) = self.items.least.filter(|least| count < *least) {
            let detail = format!("{path} in body should have at least {least} items");
            errors.push(FieldError::invalid(path, count, &detail));
        }
        if let Some(most) = self.items.most.filter(|most| count > *most) {
            errors.push(FieldError::too_many(path, count, most));
        }
    }

    fn check_properties(&self, count: usize, path: &str, errors: &mut Vec<FieldError>) {
        if let Some(least) = self.properties.least.filter(|least| count < *least) {
            let detail = format!("{path} in body should have at least {least} properties");
            errors.push(FieldError::invalid(path, count, &detail));
        }
        if let Some(most) = self.properties.most.filter(|most| count > *most) {
            errors.push(FieldError::too_many(path, count, most));
        }
    }
}

/// A number as Go's `%v` writes it, for the numbers that people write into schemas.
fn plain(number: f64) -> String {
    if number.abs() >= 1e21 {
        format!("{number:e}").replace('e', "e+")
    } else {
        number.to_string()
    }
}
