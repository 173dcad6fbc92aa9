//! Search filters (RFC 4511, 4.5.1.7): whether an entry matches.
//!
//! Pure. Three values: a filter that cannot be decided (an unknown rule, an attribute that the asker may not
//! see) is neither true nor false, and its negation is not true either.

use ldap3_proto::proto::{LdapFilter, LdapMatchingRuleAssertion, LdapSubstringFilter};

use crate::{
    entry::Entry,
    schema::{self, Matching},
};

#[cfg(test)]
mod tests;

/// A filter nested deeper than this is refused before it is evaluated: recursion has to end.
const DEEPEST: usize = 64;

/// Whether `filter` is nested so little that [`matches()`] may be asked.
pub(crate) fn is_shallow(filter: &LdapFilter) -> bool {
    fn depth(filter: &LdapFilter, left: usize) -> bool {
        let Some(left) = left.checked_sub(1) else {
            return false;
        };
        match filter {
            LdapFilter::And(inner) | LdapFilter::Or(inner) => inner.iter().all(|filter| depth(filter, left)),
            LdapFilter::Not(inner) => depth(inner, left),
            _ => true,
        }
    }
    depth(filter, DEEPEST)
}

/// Whether `entry` matches; `secrets` says whether the asker may see passwords.
pub(crate) fn matches(filter: &LdapFilter, entry: &Entry, secrets: bool) -> bool {
    evaluate(filter, entry, secrets) == Some(true)
}

fn evaluate(filter: &LdapFilter, entry: &Entry, secrets: bool) -> Option<bool> {
    match filter {
        LdapFilter::And(inner) => all(inner.iter().map(|filter| evaluate(filter, entry, secrets))),
        LdapFilter::Or(inner) => all(inner
            .iter()
            .map(|filter| evaluate(filter, entry, secrets).map(|found| !found)))
        .map(|none| !none),
        LdapFilter::Not(inner) => evaluate(inner, entry, secrets).map(|found| !found),
        LdapFilter::Extensible(assertion) => extensible(assertion, entry, secrets),
        LdapFilter::Present(name) => {
            let name = visible(name, secrets)?;
            Some(name == "entrydn" || name == "hassubordinates" || entry.attributes.contains_key(&name))
        }
        LdapFilter::Equality(name, value) | LdapFilter::Approx(name, value) => {
            let name = visible(name, secrets)?;
            Some(any(entry, &name, |found| {
                found == schema::normalise(&name, value.as_bytes())
            }))
        }
        LdapFilter::GreaterOrEqual(name, value) => {
            order(entry, &visible(name, secrets)?, value, std::cmp::Ordering::is_ge)
        }
        LdapFilter::LessOrEqual(name, value) => {
            order(entry, &visible(name, secrets)?, value, std::cmp::Ordering::is_le)
        }
        LdapFilter::Substring(name, parts) => {
            let name = visible(name, secrets)?;
            let parts = Parts::of(&name, parts);
            Some(any(entry, &name, |value| parts.matches(value)))
        }
    }
}

/// `And` of three values: one false decides, else one unknown.
fn all(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for value in values {
        match value {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

fn visible(name: &str, secrets: bool) -> Option<String> {
    let name = schema::canonical(name);
    (schema::is_attribute_name(&name) && (secrets || !schema::is_secret(&name))).then_some(name)
}

/// Whether one of the attribute's values, normalised, passes.
fn any(entry: &Entry, name: &str, pass: impl Fn(&[u8]) -> bool) -> bool {
    if name == "entrydn" {
        return pass(entry.dn.key().as_bytes());
    }
    entry
        .values(name)
        .iter()
        .any(|value| pass(&schema::normalise(name, value)))
}

fn order(entry: &Entry, name: &str, value: &str, pass: fn(std::cmp::Ordering) -> bool) -> Option<bool> {
    if schema::matching(name) == Matching::Integer {
        let wanted = schema::integer(value)?;
        return Some(any(entry, name, |found| {
            std::str::from_utf8(found)
                .ok()
                .and_then(schema::integer)
                .is_some_and(|found| pass(found.cmp(&wanted)))
        }));
    }
    let wanted = schema::normalise(name, value.as_bytes());
    Some(any(entry, name, |found| pass(found.cmp(wanted.as_slice()))))
}

/// The parts of a substring filter, normalised.
struct Parts {
    initial: Vec<u8>,
    any: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Parts {
    fn of(name: &str, filter: &LdapSubstringFilter) -> Self {
        // Blanks at the edge of a part are part of it, unlike those at the edge of a value.
        let part = |text: &str| match schema::matching(name) {
            Matching::Exact => text.as_bytes().to_vec(),
            _ => text.to_lowercase().into_bytes(),
        };
        Self {
            initial: part(filter.initial.as_deref().unwrap_or("").trim_start()),
            any: filter.any.iter().map(|text| part(text)).collect(),
            last: part(filter.final_.as_deref().unwrap_or("").trim_end()),
        }
    }

    fn matches(&self, value: &[u8]) -> bool {
        let Some(mut rest) = value.strip_prefix(self.initial.as_slice()) else {
            return false;
        };
        for part in self.any.iter().filter(|part| !part.is_empty()) {
            let Some(at) = rest
                .windows(part.len())
                .position(|window| window == part.as_slice())
            else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(&self.last)
    }
}

/// How an extensible filter compares.
enum Rule {
    Equal(Option<Matching>),
    AllBits,
    AnyBit,
}

fn rule(name: Option<&str>) -> Option<Rule> {
    let Some(name) = name else {
        return Some(Rule::Equal(None));
    };
    Some(match name.to_ascii_lowercase().as_str() {
        "caseignorematch" | "2.5.13.2" | "caseignoreia5match" | "1.3.6.1.4.1.1466.109.114.2" => {
            Rule::Equal(Some(Matching::IgnoreCase))
        }
        "caseexactmatch"
        | "2.5.13.5"
        | "caseexactia5match"
        | "1.3.6.1.4.1.1466.109.114.1"
        | "octetstringmatch"
        | "2.5.13.17" => Rule::Equal(Some(Matching::Exact)),
        "integermatch" | "2.5.13.14" => Rule::Equal(Some(Matching::Integer)),
        "distinguishednamematch" | "2.5.13.1" => Rule::Equal(Some(Matching::Name)),
        "1.2.840.113556.1.4.803" => Rule::AllBits,
        "1.2.840.113556.1.4.804" => Rule::AnyBit,
        _ => return None,
    })
}

fn extensible(assertion: &LdapMatchingRuleAssertion, entry: &Entry, secrets: bool) -> Option<bool> {
    let rule = rule(assertion.matching_rule.as_deref())?;
    let only = match &assertion.type_ {
        Some(name) => Some(visible(name, secrets)?),
        None if assertion.matching_rule.is_none() => return None,
        None => None,
    };
    let wanted = |name: &str| match &only {
        Some(only) => only == name,
        None => secrets || !schema::is_secret(name),
    };
    let test = |name: &str, value: &[u8]| wanted(name) && passes(&rule, name, value, &assertion.match_value);
    let in_attributes = entry
        .attributes
        .iter()
        .any(|(name, attribute)| attribute.values.iter().any(|value| test(name, value)));
    let in_name = assertion.dn_attributes && entry.dn.all_pairs().any(|(name, value)| test(name, value));
    Some(in_attributes || in_name)
}

fn passes(rule: &Rule, name: &str, value: &[u8], wanted: &str) -> bool {
    let bits = |test: fn(i128, i128) -> bool| {
        let value = std::str::from_utf8(value).ok().and_then(schema::integer);
        value
            .zip(schema::integer(wanted))
            .is_some_and(|(value, mask)| test(value, mask))
    };
    match rule {
        Rule::AllBits => bits(|value, mask| value & mask == mask),
        Rule::AnyBit => bits(|value, mask| value & mask != 0),
        Rule::Equal(by) => {
            let by = by.unwrap_or(schema::matching(name));
            schema::normalise_by(by, value) == schema::normalise_by(by, wanted.as_bytes())
        }
    }
}
