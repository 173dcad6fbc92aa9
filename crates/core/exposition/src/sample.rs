//! Figures, read.

use std::borrow::Cow;

/// One figure of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// Its family's name, with the suffix that some have.
    pub name: &'a str,
    labels: Vec<(&'a str, Cow<'a, str>)>,
    /// The figure.
    pub value: f64,
    /// The time that it is of, in milliseconds since 1970, where it says so.
    pub at_ms: Option<i64>,
}

impl Sample<'_> {
    /// The value of a label; empty where it is not there, which means the same.
    pub fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(label, _)| *label == name);
        found.map_or("", |(_, value)| value)
    }

    /// All labels, as they were written.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(name, value)| (*name, value.as_ref()))
    }
}

/// A line that is no figure, no comment and not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is no figure")]
pub struct BrokenLine(
    /// Counted from one.
    pub usize,
);

/// The figures of a page, in its order. Comments, types among them, are passed over.
pub fn samples(text: &str) -> impl Iterator<Item = Result<Sample<'_>, BrokenLine>> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        Some(sample(line).ok_or(BrokenLine(at + 1)))
    })
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
    let (name, rest) = line.split_at(end);
    if !is_name(name) {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = number(words.next()?)?;
    let at_ms = words.next().map(str::parse).transpose().ok()?;
    words.next().is_none().then_some(Sample {
        name,
        labels,
        value,
        at_ms,
    })
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty() && name.chars().all(is_part) && !name.starts_with(|c: char| c.is_ascii_digit())
}

type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// What stands behind the opening brace, and what behind the closing one.
fn labels(mut rest: &str) -> Option<(Labels<'_>, &str)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((found, after));
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if !is_name(name) {
            return None;
        }
        let after = after.trim_start().strip_prefix('"')?;
        let (value, after) = quoted(after)?;
        found.push((name, value));
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// What stands before the closing quotation mark, and what behind it.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut value = String::new();
    let mut begin = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' if begin == 0 => return Some((Cow::Borrowed(&text[..at]), &text[at + 1..])),
            b'"' => {
                value.push_str(&text[begin..at]);
                return Some((Cow::Owned(value), &text[at + 1..]));
            }
            b'\\' => {
                value.push_str(&text[begin..at]);
                value.push(match bytes.get(at + 1)? {
                    b'n' => '\n',
                    b'"' => '"',
                    b'\\' => '\\',
                    _ => return None,
                });
                at += 2;
                begin = at;
            }
            _ => at += 1,
        }
    }
    None
}

/// Go's numbers: the words for what is no number are its own.
fn number(word: &str) -> Option<f64> {
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::page::write_sample;

    #[test]
    fn figures_are_read_with_labels_and_times() {
        let text = "# HELP a b\n\na{pod=\"x\", b=\"1\\\"2\\n\",} 3e2 1700000000000\nb +Inf\nc{} NaN";
        let found: Vec<Sample<'_>> = samples(text).map(|sample| sample.expect("figure")).collect();
        assert_eq!((found[0].name, found[0].value), ("a", 300.0));
        assert_eq!(
            (found[0].label("pod"), found[0].label("b"), found[0].label("none")),
            ("x", "1\"2\n", "")
        );
        assert_eq!(found[0].at_ms, Some(1_700_000_000_000));
        assert!(found[1].value.is_infinite() && found[2].value.is_nan());
    }

    #[test]
    fn what_is_no_figure_is_named_by_its_line() {
        for line in [
            "a",
            "a{",
            "a{b} 1",
            "a{b=\"c} 1",
            "a{b=\"c\"",
            "a{b=\"\\x\"} 1",
            "a x",
            "a 1 2 3",
            "1a 1",
            "{b=\"c\"} 1",
            "a{b=\"c\"d=\"e\"} 1",
            "a 1 x",
        ] {
            let text = format!("ok 1\n{line}");
            let found: Vec<_> = samples(&text).collect();
            assert_eq!(found[1], Err(BrokenLine(2)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(value: f64, label in any::<String>(), at: Option<i64>) {
            // Carriage returns at an end of a line would be taken for a part of it, and so no value has them.
            let mut text = String::new();
            write_sample(&mut text, "name", &[("a", &label), ("b", "c")], value, at);
            prop_assume!(!label.contains('\r'));
            let all: Vec<_> = samples(&text).collect();
            prop_assert_eq!(all.len(), 1);
            let found = all[0].as_ref().expect("figure");
            prop_assert_eq!(found.label("a"), label);
            prop_assert_eq!(found.at_ms, at);
            prop_assert!(found.value.to_bits() == value.to_bits() || value.is_nan());
        }

        #[test]
        fn nothing_panics(text: String) {
            let _ = samples(&text).count();
        }
    }
}
