//! Named formats: `format.dns1123Label().validate(text)` gives what is wrong with a text, or nothing.

use std::sync::Arc;

use crate::evaluate::{Evaluation, Found};
use crate::value::Value;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Names of formats, sorted.
const NAMES: &[&str] = &[
    "byte",
    "date",
    "datetime",
    "dns1035Label",
    "dns1035LabelPrefix",
    "dns1123Label",
    "dns1123LabelPrefix",
    "dns1123Subdomain",
    "dns1123SubdomainPrefix",
    "labelValue",
    "qualifiedName",
    "uri",
    "uuid",
];

/// The format with a name.
pub(super) fn find(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|known| **known == name).copied()
}

/// Calls a function of this library.
pub(super) fn call(
    evaluation: &mut Evaluation,
    name: &str,
    _method: bool,
    values: &[Value],
) -> Option<Found> {
    match (name, values) {
        ("format.named", [Value::Text(name)]) => Some(Ok(Value::Optional(
            find(name).map(|name| Arc::new(Value::Format(name))),
        ))),
        (name, []) => find(name.strip_prefix("format.")?).map(|name| Ok(Value::Format(name))),
        ("validate", [Value::Format(format), Value::Text(text)]) => {
            if let Err(problem) = evaluation.budget.spend_bytes(text.len()) {
                return Some(Err(problem));
            }
            let problems: Vec<Value> = problems(format, text)
                .iter()
                .map(|text| Value::text(text))
                .collect();
            Some(Ok(Value::Optional(
                (!problems.is_empty()).then(|| Arc::new(Value::list(problems))),
            )))
        }
        _ => None,
    }
}

fn problems(format: &str, text: &str) -> Vec<String> {
    let prefix = |rule: fn(&str, &mut Vec<String>)| {
        let mut found = Vec::new();
        let text = text
            .strip_suffix('-')
            .map_or_else(|| text.to_owned(), |start| format!("{start}a"));
        rule(&text, &mut found);
        found
    };
    let plain = |rule: fn(&str, &mut Vec<String>)| {
        let mut found = Vec::new();
        rule(text, &mut found);
        found
    };
    let other = |holds: bool, what: &str| {
        if holds {
            Vec::new()
        } else {
            vec![format!("invalid {what}")]
        }
    };
    match format {
        "dns1123Label" => plain(label),
        "dns1123LabelPrefix" => prefix(label),
        "dns1123Subdomain" => plain(subdomain),
        "dns1123SubdomainPrefix" => prefix(subdomain),
        "dns1035Label" => plain(label_1035),
        "dns1035LabelPrefix" => prefix(label_1035),
        "qualifiedName" => plain(qualified),
        "labelValue" => plain(label_value),
        "uri" => other(text.starts_with('/') || url::Url::parse(text).is_ok(), "URI"),
        "uuid" => other(is_uuid(text), "UUID: does not match the pattern of a UUID"),
        "byte" => other(is_base64(text), "base64"),
        "date" => other(text.parse::<jiff::civil::Date>().is_ok(), "date"),
        _ => other(text.parse::<jiff::Timestamp>().is_ok(), "datetime"),
    }
}

fn length(text: &str, limit: usize, found: &mut Vec<String>) {
    if text.len() > limit {
        found.push(format!("must be no more than {limit} bytes"));
    }
}

fn is_edge(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    is_edge(bytes.first().copied())
        && is_edge(bytes.last().copied())
        && bytes.iter().all(|byte| is_edge(Some(*byte)) || *byte == b'-')
}

fn label(text: &str, found: &mut Vec<String>) {
    length(text, 63, found);
    if !is_label(text) {
        found.push(LABEL.to_owned());
    }
}

fn subdomain(text: &str, found: &mut Vec<String>) {
    length(text, 253, found);
    if !text.split('.').all(is_label) {
        found.push(SUBDOMAIN.to_owned());
    }
}

fn label_1035(text: &str, found: &mut Vec<String>) {
    length(text, 63, found);
    if !is_label(text) || text.starts_with(|first: char| first.is_ascii_digit()) {
        found.push(LABEL_1035.to_owned());
    }
}

fn is_name(text: &str) -> bool {
    let edge = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character))
}

fn qualified(text: &str, found: &mut Vec<String>) {
    let name = match text.split_once('/') {
        Some((domain, name)) => {
            let before = found.len();
            subdomain(domain, found);
            for problem in &mut found[before..] {
                problem.insert_str(0, "prefix part ");
            }
            name
        }
        None => text,
    };
    if name.is_empty() {
        found.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        found.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name(name) {
        found.push(QUALIFIED.to_owned());
    }
}

fn label_value(text: &str, found: &mut Vec<String>) {
    length(text, 63, found);
    if !text.is_empty() && !is_name(text) {
        found.push(VALUE.to_owned());
    }
}

fn is_uuid(text: &str) -> bool {
    let plain: String = text.chars().filter(|character| *character != '-').collect();
    let well_placed = text.len() == 32
        || (text.len() == 36 && [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-'));
    well_placed && plain.len() == 32 && plain.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn is_base64(text: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}
