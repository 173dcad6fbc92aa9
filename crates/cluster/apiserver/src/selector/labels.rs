//! Label selectors: `app=web,tier in (a,b),!old`.

use serde_json::Value;

/// All of its requirements must hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Missing,
    In(Vec<String>),
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl LabelSelector {
    /// Reads a selector.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = Cursor(text.trim());
        let mut requirements = Vec::new();
        while !rest.0.is_empty() {
            requirements.push(rest.requirement()?);
            match rest.next_symbol() {
                None => break,
                Some(',') => {
                    rest.skip_blanks();
                    if rest.0.is_empty() {
                        return Err("found '', expected: identifier after ','".to_owned());
                    }
                }
                Some(other) => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
            }
        }
        Ok(Self(requirements))
    }

    /// Whether it has no requirements.
    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the labels of an object pass.
    pub(crate) fn matches(&self, labels: Option<&Value>) -> bool {
        self.0.iter().all(|requirement| {
            let found = labels
                .and_then(|labels| labels.get(&requirement.key))
                .and_then(Value::as_str);
            match (&requirement.test, found) {
                (Test::Exists, found) => found.is_some(),
                (Test::Missing, found) => found.is_none(),
                (Test::In(values), found) => {
                    found.is_some_and(|found| values.iter().any(|value| value == found))
                }
                (Test::NotIn(values), found) => {
                    found.is_none_or(|found| values.iter().all(|value| value != found))
                }
                (Test::Above(limit), found) => found
                    .and_then(|found| found.parse::<i64>().ok())
                    .is_some_and(|found| found > *limit),
                (Test::Below(limit), found) => found
                    .and_then(|found| found.parse::<i64>().ok())
                    .is_some_and(|found| found < *limit),
            }
        })
    }
}

struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn next_symbol(&mut self) -> Option<char> {
        self.skip_blanks();
        let symbol = self.0.chars().next()?;
        self.0 = &self.0[symbol.len_utf8()..];
        Some(symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        self.skip_blanks();
        let Some(rest) = self.0.strip_prefix(symbol) else {
            return false;
        };
        self.0 = rest;
        true
    }

    fn word(&mut self) -> String {
        self.skip_blanks();
        let end = self
            .0
            .find(|character: char| !(character.is_ascii_alphanumeric() || "-_./".contains(character)))
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word.to_owned()
    }

    fn key(&mut self) -> Result<String, String> {
        let key = self.word();
        if key.is_empty() {
            let found = self.0.chars().next().map(String::from).unwrap_or_default();
            return Err(format!("found '{found}', expected: identifier"));
        }
        check_key(&key)?;
        Ok(key)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        if self.take("!") {
            return Ok(Requirement {
                key: self.key()?,
                test: Test::Missing,
            });
        }
        let key = self.key()?;
        let test = self.test()?;
        Ok(Requirement { key, test })
    }

    fn test(&mut self) -> Result<Test, String> {
        self.skip_blanks();
        if self.0.is_empty() || self.0.starts_with(',') {
            return Ok(Test::Exists);
        }
        if self.take("!=") {
            return Ok(Test::NotIn(vec![self.value()?]));
        }
        if self.take("==") || self.take("=") {
            return Ok(Test::In(vec![self.value()?]));
        }
        if self.take(">") {
            return self.limit().map(Test::Above);
        }
        if self.take("<") {
            return self.limit().map(Test::Below);
        }
        match self.word().as_str() {
            "in" => self.values().map(Test::In),
            "notin" => self.values().map(Test::NotIn),
            other => Err(format!(
                "found '{other}', expected: in, notin, =, ==, !=, >, < or the end of the requirement"
            )),
        }
    }

    fn value(&mut self) -> Result<String, String> {
        let value = self.word();
        check_value(&value)?;
        Ok(value)
    }

    fn limit(&mut self) -> Result<i64, String> {
        let word = self.word();
        word.parse()
            .map_err(|_| format!("for '>', '<' operators, the value must be an integer, found '{word}'"))
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        if !self.take("(") {
            return Err("expected: '(' after in or notin".to_owned());
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            match self.next_symbol() {
                Some(',') => {}
                Some(')') => return Ok(values),
                other => {
                    let found = other.map(String::from).unwrap_or_default();
                    return Err(format!("found '{found}', expected: ',' or ')'"));
                }
            }
        }
    }
}

/// Longest name part of a key and longest value, in bytes.
const LABEL_BYTES: usize = 63;
/// Longest prefix of a key, in bytes: a DNS name.
const PREFIX_BYTES: usize = 253;

fn check_key(key: &str) -> Result<(), String> {
    let name = match key.split_once('/') {
        Some((prefix, name)) if !prefix.is_empty() && prefix.len() <= PREFIX_BYTES => name,
        Some(_) => {
            return Err(format!(
                "invalid label key {key:?}: prefix part must be a DNS name"
            ));
        }
        None => key,
    };
    if name.is_empty() || !is_label_text(name) {
        return Err(format!("invalid label key {key:?}"));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_label_text(value) {
        Ok(())
    } else {
        Err(format!("invalid label value: {value:?}"))
    }
}

fn is_label_text(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_BYTES
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| inner(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn selects_as_the_documentation_says() {
        let labels = json!({"environment":"production","tier":"frontend","count":"5"});
        for (text, expected) in [
            ("", true),
            ("environment=production", true),
            ("environment == production", true),
            ("environment!=production", false),
            ("absent!=x", true),
            ("environment in (production, qa)", true),
            ("environment in (qa)", false),
            ("tier notin (frontend,backend)", false),
            ("absent notin (a)", true),
            ("tier", true),
            ("!tier", false),
            ("! absent", true),
            ("environment=production,tier=frontend", true),
            ("environment=production , tier=backend", false),
            ("count>4", true),
            ("count<5", false),
            ("absent=", false),
            ("x.io/absent", false),
        ] {
            assert_eq!(
                LabelSelector::parse(text).unwrap().matches(Some(&labels)),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_selector() {
        for text in [
            "a in",
            "a in (",
            "a in (b",
            "=b",
            "a=b,",
            "a b",
            "a notin b",
            "a=b c",
            "-a",
            "a=-",
            "a>b",
            "/x",
            "!",
        ] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_object_without_labels_passes_only_what_asks_for_nothing() {
        assert!(LabelSelector::parse("!a,b!=c").unwrap().matches(None));
        assert!(!LabelSelector::parse("a").unwrap().matches(None));
    }

    /// A requirement as the documentation words it: key, operator, values.
    type Said = (String, &'static str, Vec<String>);

    const OPERATORS: &[&str] = &["=", "==", "!=", "in", "notin", "exists", "!", ">", "<"];

    fn any_requirement() -> impl Strategy<Value = Said> {
        let key = "[a-c]|x\\.io/[a-c]";
        let text = prop::collection::vec("[a-c1-3]{0,2}", 1..4);
        let number = prop::collection::vec("-?[0-9]{1,2}", 1..2);
        (key, prop::sample::select(OPERATORS), text, number).prop_map(|(key, operator, text, number)| {
            let values = if matches!(operator, ">" | "<") {
                number
            } else {
                text
            };
            (key, operator, values)
        })
    }

    fn print((key, operator, values): &Said, blank: &str) -> String {
        match *operator {
            "exists" => key.clone(),
            "!" => format!("!{blank}{key}"),
            "in" | "notin" => format!("{key} {operator} ({})", values.join(&format!("{blank},{blank}"))),
            _ => format!("{key}{blank}{operator}{blank}{}", values[0]),
        }
    }

    /// What the documentation says that the operators mean.
    fn holds((key, operator, values): &Said, labels: &std::collections::BTreeMap<String, String>) -> bool {
        let found = labels.get(key);
        let number = |text: &str| text.parse::<i64>().ok();
        match *operator {
            "exists" => found.is_some(),
            "!" => found.is_none(),
            "=" | "==" => found == Some(&values[0]),
            "!=" => found != Some(&values[0]),
            "in" => found.is_some_and(|found| values.contains(found)),
            "notin" => found.is_none_or(|found| !values.contains(found)),
            ">" => found.and_then(|found| number(found)) > number(&values[0]),
            _ => found
                .and_then(|found| number(found))
                .is_some_and(|found| Some(found) < number(&values[0])),
        }
    }

    proptest! {
        #[test]
        fn selects_as_the_words_of_its_requirements_say(
            said in prop::collection::vec(any_requirement(), 0..4),
            labels in prop::collection::btree_map("[a-c]|x\\.io/[a-c]", "[a-c1-3]{0,2}", 0..5),
            blank in " ?",
        ) {
            let text = said.iter().map(|said| print(said, &blank)).collect::<Vec<_>>().join(&format!("{blank},{blank}"));
            let selector = LabelSelector::parse(&text).unwrap();
            let expected = said.iter().all(|said| holds(said, &labels));
            prop_assert_eq!(selector.matches(Some(&json!(labels))), expected, "{} {:?}", text, labels);
            // Blanks mean nothing.
            let tight: Vec<_> = said.iter().map(|said| print(said, "")).collect();
            prop_assert_eq!(LabelSelector::parse(&tight.join(",")).unwrap(), selector);
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = LabelSelector::parse(&text);
        }
    }
}
