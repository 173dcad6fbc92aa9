//! Paths of fields, and the checks that every kind shares.

use serde_json::Value;

use super::names;
use crate::FieldError;
use crate::field_error::go_quote;
use crate::value::{Read as _, equivalent};

/// What is wrong, in the order in which it is found.
pub(super) type Errors = Vec<FieldError>;

/// What apimachinery says of a number below zero.
pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
/// What apimachinery says of a field that has changed and must not.
pub(super) const IMMUTABLE: &str = "field is immutable";

/// `spec.replicas` of `spec` and `replicas`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// `spec.rules[0]` of `spec`, `rules` and 0.
pub(super) fn nth(path: &str, name: &str, index: usize) -> String {
    format!("{}[{index}]", join(path, name))
}

/// The items of a list with their paths.
pub(super) fn each<'a>(
    object: &'a Value,
    path: &'a str,
    name: &'a str,
) -> impl Iterator<Item = (String, &'a Value)> + 'a {
    object
        .list(name)
        .iter()
        .enumerate()
        .map(move |(index, item)| (nth(path, name, index), item))
}

/// Requires a text; says whether it is there.
pub(super) fn required<'a>(
    object: &'a Value,
    path: &str,
    name: &str,
    errors: &mut Errors,
) -> Option<&'a str> {
    let text = object.text(name);
    if text.is_empty() {
        errors.push(FieldError::required(&join(path, name), ""));
        return None;
    }
    Some(text)
}

/// Requires one of the texts that are known; empty is missing.
pub(super) fn one_of(object: &Value, path: &str, name: &str, known: &[&str], errors: &mut Errors) {
    if let Some(text) = required(object, path, name, errors) {
        supported(text, &join(path, name), known, errors);
    }
}

/// The same for a field that need not be there.
pub(super) fn optional_one_of(object: &Value, path: &str, name: &str, known: &[&str], errors: &mut Errors) {
    let text = object.text(name);
    if !text.is_empty() {
        supported(text, &join(path, name), known, errors);
    }
}

fn supported(text: &str, path: &str, known: &[&str], errors: &mut Errors) {
    if !known.contains(&text) {
        errors.push(FieldError::not_supported(path, text, known));
    }
}

/// Refuses a number below zero.
pub(super) fn not_negative(object: &Value, path: &str, names: &[&str], errors: &mut Errors) {
    for name in names {
        if let Some(number) = object.int(name).filter(|number| *number < 0) {
            errors.push(FieldError::invalid(&join(path, name), number, NOT_NEGATIVE));
        }
    }
}

/// Reports each message of a rule about a text.
pub(super) fn messages(path: &str, text: &str, found: Vec<String>, errors: &mut Errors) {
    errors.extend(
        found
            .into_iter()
            .map(|message| FieldError::invalid(path, text, &message)),
    );
}

/// Refuses a change of the field at a path.
pub(super) fn unchanged(old: &Value, new: &Value, path: &[&str], errors: &mut Errors) {
    let (before, after) = (old.at(path), new.at(path));
    if !equivalent(before, after) {
        let after = after.cloned().unwrap_or(Value::Null);
        errors.push(FieldError::invalid(&path.join("."), after, IMMUTABLE));
    }
}

/// A path that begins with a domain, such as `acme.io/foo` (`IsDomainPrefixedPath`).
pub(super) fn prefixed_path(path: &str, text: &str, errors: &mut Errors) {
    if text.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let Some((domain, rest)) = text
        .split_once('/')
        .filter(|(domain, rest)| !domain.is_empty() && !rest.is_empty())
    else {
        let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        errors.push(FieldError::invalid(path, text, detail));
        return;
    };
    messages(path, domain, names::subdomain(domain), errors);
    messages(path, rest, names::http_path(rest), errors);
}

/// `["A" "B"]`, as Go prints a list in a sentence.
pub(super) fn listed(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|word| go_quote(word)).collect();
    format!("[{}]", quoted.join(" "))
}

/// Requires one of the texts that are known, and names them where there is none.
pub(super) fn choice(object: &Value, path: &str, name: &str, known: &[&str], errors: &mut Errors) {
    if object.text(name).is_empty() {
        let detail = format!("valid values: {}", listed(known));
        errors.push(FieldError::required(&join(path, name), &detail));
    }
    optional_one_of(object, path, name, known, errors);
}
