//! What a guard answers: nothing against it, or every offence with its rule, its place and the way out.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::Serialize;

/// How many offences a message names; an object may have thousands, a terminal has fifty lines.
const SHOWN_OFFENCES: usize = 20;
/// How many characters of an offending value a message repeats.
const SHOWN_CHARACTERS: usize = 120;

/// How many warnings a verdict carries; Kubernetes shows 4 KiB of them at most.
const SHOWN_WARNINGS: usize = 10;

/// The answer of a guard. Allowed when there is no offence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    offences: Vec<Offence>,
    warnings: Vec<Warning>,
}

/// Something that is allowed, and yet hardly what its author means. Its `Display` is what the author is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable name of the rule, such as `images/tag`.
    pub rule: &'static str,
    /// Path of the field, such as `spec.containers[0].image`.
    pub field: String,
    /// What happens, and what to do about it, without full stop.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.text)
    }
}

/// One thing that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offence {
    /// Stable name of the rule, such as `ingress/host`.
    pub rule: &'static str,
    /// The rule as a sentence, without full stop.
    pub sentence: String,
    /// Path of the offending field, such as `spec.rules[0].host`.
    pub field: String,
    /// The offending place and value as the message shows it.
    pub found: String,
    /// What to do instead.
    pub remedy: String,
}

impl Verdict {
    /// Whether the object may pass.
    pub fn is_allowed(&self) -> bool {
        self.offences.is_empty()
    }

    /// Everything that is wrong with the object.
    pub fn offences(&self) -> &[Offence] {
        &self.offences
    }

    /// What is allowed but unwise, in the order of the object and at most ten; told beside either answer.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Several verdicts on one object, as one.
    pub(crate) fn of(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for verdict in verdicts {
            all.offences.extend(verdict.offences);
            all.warnings.extend(verdict.warnings);
        }
        all.warnings.truncate(SHOWN_WARNINGS);
        all
    }

    /// What its owner is told: each rule once, with every place that breaks it and the way out. Empty when allowed.
    pub fn message(&self) -> String {
        let mut message = String::new();
        let mut rest = &self.offences[..self.offences.len().min(SHOWN_OFFENCES)];
        while let Some(first) = rest.first() {
            let same = rest
                .iter()
                .take_while(|o| o.sentence == first.sentence && o.remedy == first.remedy)
                .count();
            let (group, others) = rest.split_at(same);
            let found: Vec<&str> = group.iter().map(|offence| offence.found.as_str()).collect();
            let separator = if message.is_empty() { "" } else { ". " };
            let _ = write!(
                message,
                "{separator}{}: {}; {}",
                first.sentence,
                found.join(", "),
                first.remedy
            );
            rest = others;
        }
        if let Some(more @ 1..) = self.offences.len().checked_sub(SHOWN_OFFENCES) {
            let _ = write!(message, ". And {more} more");
        }
        message
    }
}

/// Gathers the offences of one object, and the warnings.
#[derive(Debug, Default)]
pub(crate) struct Offences {
    found: Vec<Offence>,
    warnings: Vec<Warning>,
}

impl Offences {
    /// Adds a value that is not allowed where it stands.
    pub(crate) fn value(&mut self, law: &Law, field: String, value: &str) {
        let found = format!("{field} is {value}");
        self.shown_as(law, field, found);
    }

    /// Adds an offence whose place and value the guard puts in its own words.
    pub(crate) fn shown_as(&mut self, law: &Law, field: String, found: String) {
        self.found.push(Offence {
            rule: law.rule,
            sentence: law.sentence.to_string(),
            field,
            found,
            remedy: law.remedy.to_string(),
        });
    }

    /// Adds an offence whose field is not there at all.
    pub(crate) fn missing(&mut self, law: &Law, field: String) {
        let found = format!("{field} is missing");
        self.shown_as(law, field, found);
    }

    /// Adds a warning; those beyond the first ten say nothing new.
    pub(crate) fn warn(&mut self, rule: &'static str, field: String, text: impl Into<String>) {
        if self.warnings.len() < SHOWN_WARNINGS {
            let text = text.into();
            self.warnings.push(Warning { rule, field, text });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The verdict of one policy among several.
    pub(crate) fn told_by(self, policy: &str) -> Verdict {
        let mut verdict = self.into_verdict();
        for offence in &mut verdict.offences {
            offence.sentence = format!("Policy {}: {}", bare(policy), offence.sentence);
        }
        verdict
    }

    pub(crate) fn into_verdict(mut self) -> Verdict {
        // Offences against one rule are told together, whatever lay between them; the sort is stable.
        let order: Vec<&'static str> = self.found.iter().fold(Vec::new(), |mut order, offence| {
            if !order.contains(&offence.rule) {
                order.push(offence.rule);
            }
            order
        });
        self.found
            .sort_by_key(|offence| order.iter().position(|rule| *rule == offence.rule));
        Verdict {
            offences: self.found,
            warnings: self.warnings,
        }
    }
}

/// A rule in words: its stable name, the rule as a sentence, and the way out.
pub(crate) struct Law {
    pub(crate) rule: &'static str,
    pub(crate) sentence: Cow<'static, str>,
    pub(crate) remedy: Cow<'static, str>,
}

impl Law {
    /// A rule whose words are always the same.
    pub(crate) const fn fixed(rule: &'static str, sentence: &'static str, remedy: &'static str) -> Self {
        Self {
            rule,
            sentence: Cow::Borrowed(sentence),
            remedy: Cow::Borrowed(remedy),
        }
    }

    /// A rule whose words name what is configured.
    pub(crate) fn spoken(rule: &'static str, sentence: String, remedy: String) -> Self {
        Self {
            rule,
            sentence: Cow::Owned(sentence),
            remedy: Cow::Owned(remedy),
        }
    }
}

/// A text from outside, quoted, without control characters, and not longer than a reader bears.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The same without quotes, for words that the original gives bare.
pub(crate) fn bare(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    let mut shown = shown.escape_debug().to_string();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{Law, Offences, quoted};

    const FIRST: Law = Law::fixed("a", "A must be", "do a");
    const SECOND: Law = Law::fixed("b", "B must be", "do b");

    #[test]
    fn tells_each_rule_once_with_all_its_offences() {
        let mut offences = Offences::default();
        offences.value(&FIRST, "x".to_owned(), "1");
        offences.value(&SECOND, "y".to_owned(), "2");
        offences.value(&FIRST, "z".to_owned(), "3");
        let message = offences.into_verdict().message();
        assert_eq!(
            message,
            "A must be: x is 1, z is 3; do a. B must be: y is 2; do b"
        );
    }

    #[test]
    fn warnings_refuse_nothing_and_have_an_end() {
        let mut offences = Offences::default();
        for i in 0..1000 {
            offences.warn("w", format!("x[{i}]"), "does nothing; leave it out");
        }
        let verdict = offences.into_verdict();
        assert!(verdict.is_allowed() && verdict.warnings().len() == 10);
        assert_eq!(
            verdict.warnings()[0].to_string(),
            "x[0]: does nothing; leave it out"
        );
    }

    #[test]
    fn stays_readable_with_thousands_of_offences_and_endless_values() {
        let mut offences = Offences::default();
        for _ in 0..1000 {
            offences.value(&FIRST, "x".to_owned(), &quoted(&"ä\n".repeat(10_000)));
        }
        let message = offences.into_verdict().message();
        assert!(message.ends_with(". And 980 more"), "{message}");
        assert!(message.len() < 10_000 && !message.contains('\n'), "{message}");
    }
}
