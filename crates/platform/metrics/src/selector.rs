//! Label selectors as they stand in queries, and field selectors for the name alone. Pure.

use std::collections::BTreeMap;

/// What labels an object has to have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    /// Empty where only the key is asked for.
    values: Vec<String>,
    wanted: bool,
}

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unable to parse requirement: {0:?} is no `key`, `!key`, `key=value`, `key!=value`, `key in (a,b)` or `key notin (a,b)`"
)]
pub(crate) struct BadSelector(String);

impl Selector {
    /// Reads `a=b,c!=d,e in (f,g),!h`.
    pub(crate) fn parse(text: &str) -> Result<Self, BadSelector> {
        let parts = split(text).into_iter();
        let parts = parts.map(str::trim).filter(|part| !part.is_empty());
        parts.map(requirement).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an object with these labels is meant.
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|one| match labels.get(&one.key) {
            Some(value) => (one.values.is_empty() || one.values.contains(value)) == one.wanted,
            None => !one.wanted,
        })
    }
}

/// At commas that are not in parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

fn requirement(part: &str) -> Result<Requirement, BadSelector> {
    let bad = || BadSelector(part.to_owned());
    let made = |key: &str, values: Vec<String>, wanted: bool| {
        let key = key.trim();
        let is_key = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        is_key
            .then(|| Requirement {
                key: key.to_owned(),
                values,
                wanted,
            })
            .ok_or_else(bad)
    };
    if let Some(list) = part.strip_suffix(')') {
        let (head, list) = list.split_once('(').ok_or_else(bad)?;
        let values: Vec<String> = list.split(',').map(|value| value.trim().to_owned()).collect();
        let words: Vec<&str> = head.split_whitespace().collect();
        return match *words.as_slice() {
            [key, "in"] => made(key, values, true),
            [key, "notin"] => made(key, values, false),
            _ => Err(bad()),
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return made(key, vec![value.trim().to_owned()], false);
    }
    if let Some((key, value)) = part.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return made(key, vec![value.trim().to_owned()], true);
    }
    match part.strip_prefix('!') {
        Some(key) => made(key, Vec::new(), false),
        None => made(part, Vec::new(), true),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        pairs.collect()
    }

    #[test]
    fn selects_as_kubernetes_does() {
        let object = labels(&[("app", "web"), ("tier", "front")]);
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier!=back", true),
            ("app in (web, job),!gone", true),
            ("app notin (web)", false),
            ("gone notin (web)", true),
            ("gone!=x", true),
            ("gone", false),
            ("app", true),
            ("!app", false),
            ("app=job", false),
        ] {
            let read = Selector::parse(selector).expect(selector);
            assert_eq!(read.matches(&object), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_named() {
        for bad in ["a b", "=x", "a in web", "a in (web", "a like (x)", "(x)"] {
            assert!(Selector::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text: String) {
            let _ = Selector::parse(&text);
        }
    }
}
