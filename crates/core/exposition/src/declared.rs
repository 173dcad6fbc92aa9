//! Families as components declare them, before they have figures: what their registries go by, and what the reference of
//! metrics is made of.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::{Kind, samples};

/// A label, and which values it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values: all of them, or what bounds them. Markdown.
    pub values: &'static str,
}

impl Label {
    /// A label of this name, with these values.
    pub const fn new(name: &'static str, values: &'static str) -> Self {
        Self { name, values }
    }
}

/// A family of figures. Whoever has figures of it takes name and help from here, so that each stands once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// As queries have it: counters with `_total`, histograms without `_bucket`.
    pub name: &'static str,
    /// What kind of figure it is.
    pub kind: Kind,
    /// What it says, in a sentence without a full stop.
    pub help: &'static str,
    /// What tells its series apart.
    pub labels: &'static [Label],
}

impl Declared {
    /// A figure that only grows. Its name ends in `_total`.
    pub const fn counter(name: &'static str, help: &'static str, labels: &'static [Label]) -> Self {
        Self {
            name,
            kind: Kind::Counter,
            help,
            labels,
        }
    }

    /// A figure that goes up and down.
    pub const fn gauge(name: &'static str, help: &'static str, labels: &'static [Label]) -> Self {
        Self {
            name,
            kind: Kind::Gauge,
            help,
            labels,
        }
    }

    /// Observations, by upper bounds.
    pub const fn histogram(name: &'static str, help: &'static str, labels: &'static [Label]) -> Self {
        Self {
            name,
            kind: Kind::Histogram,
            help,
            labels,
        }
    }

    /// The name without the suffix that counters get when they are written.
    pub fn stem(&self) -> &'static str {
        match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            Kind::Gauge | Kind::Histogram => self.name,
        }
    }

    /// What it is measured in, as its name says.
    pub fn unit(&self) -> &'static str {
        let stem = self.stem();
        if stem.ends_with("_timestamp_seconds") || stem.ends_with("_start_time_seconds") {
            "seconds since 1970"
        } else if stem.ends_with("_seconds") {
            "seconds"
        } else if stem.ends_with("_bytes") {
            "bytes"
        } else {
            ""
        }
    }

    /// Whether a figure of this name can be one of the family.
    pub fn has(&self, sample: &str) -> bool {
        match self.kind {
            Kind::Counter | Kind::Gauge => sample == self.name,
            Kind::Histogram => sample
                .strip_prefix(self.name)
                .is_some_and(|rest| matches!(rest, "_bucket" | "_sum" | "_count")),
        }
    }

    fn row(&self, text: &mut String) {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|label| format!("`{}`: {}", label.name, label.values))
            .collect();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            self.name,
            self.kind.as_str(),
            self.unit(),
            labels.join("; "),
            self.help.replace('|', "\\|"),
        );
    }
}

/// The families of a component as a table in Markdown.
pub fn table(families: &[Declared]) -> String {
    let mut text = "| family | type | unit | labels | what it says |\n|---|---|---|---|---|\n".to_owned();
    for family in families {
        family.row(&mut text);
    }
    text
}

/// What stands on a page and was not declared, or not so: for tests of whoever writes pages.
pub fn undeclared(page: &str, families: &[Declared]) -> BTreeSet<String> {
    let mut problems = BTreeSet::new();
    for sample in samples(page) {
        let Ok(sample) = sample else {
            problems.insert("a line is no figure".to_owned());
            continue;
        };
        let Some(family) = families.iter().find(|family| family.has(sample.name)) else {
            problems.insert(format!("{} is not declared", sample.name));
            continue;
        };
        let found: BTreeSet<&str> = sample.labels().map(|(name, _)| name).collect();
        let mut wanted: BTreeSet<&str> = family.labels.iter().map(|label| label.name).collect();
        if sample.name.ends_with("_bucket") && family.kind == Kind::Histogram {
            wanted.insert("le");
        }
        if found != wanted {
            problems.insert(format!(
                "{} has the labels {found:?} and not {wanted:?}",
                sample.name
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Declared = Declared::counter(
        "asked_total",
        "Who asked",
        &[Label::new("code", "`2xx` to `5xx`")],
    );
    const TOOK: Declared = Declared::histogram("took_seconds", "How long it took", &[]);
    const ENDS: Declared = Declared::gauge("ends_timestamp_seconds", "When it ends", &[]);

    #[test]
    fn a_table_says_all_of_a_family() {
        assert_eq!(
            table(&[ASKED, TOOK, ENDS]),
            "| family | type | unit | labels | what it says |\n|---|---|---|---|---|\n\
             | `asked_total` | counter |  | `code`: `2xx` to `5xx` | Who asked |\n\
             | `took_seconds` | histogram | seconds |  | How long it took |\n\
             | `ends_timestamp_seconds` | gauge | seconds since 1970 |  | When it ends |\n"
        );
        assert_eq!((ASKED.stem(), TOOK.stem()), ("asked", "took_seconds"));
    }

    #[test]
    fn a_page_has_what_was_declared() {
        let page = "# TYPE asked counter\nasked_total{code=\"2xx\"} 1\ntook_seconds_bucket{le=\"1\"} 1\n\
                    took_seconds_sum 1\ntook_seconds_count 1\nends_timestamp_seconds 1\n# EOF\n";
        assert!(undeclared(page, &[ASKED, TOOK, ENDS]).is_empty());
    }

    #[test]
    fn what_was_not_declared_is_named() {
        let page = "asked_total 1\ntook_seconds 1\nother 1\nends_timestamp_seconds{le=\"1\"} 1\n{}";
        let problems: Vec<_> = undeclared(page, &[ASKED, TOOK, ENDS]).into_iter().collect();
        assert_eq!(
            problems,
            [
                "a line is no figure",
                "asked_total has the labels {} and not {\"code\"}",
                "ends_timestamp_seconds has the labels {\"le\"} and not {}",
                "other is not declared",
                "took_seconds is not declared",
            ]
        );
    }
}
