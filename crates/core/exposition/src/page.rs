//! A page of figures, written.

use std::fmt::{self, Display, Write as _};

/// What kind of figure a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, but for restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations, by upper bounds.
    Histogram,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A page of figures.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// Begins a family; its samples follow. Write each family once.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(
            self.text,
            "# HELP {name} {}\n# TYPE {name} {}",
            Escaped(help, false),
            kind.as_str()
        );
    }

    /// One figure as of now.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        write_sample(&mut self.text, name, labels, value, None);
    }

    /// One figure as of a time, in milliseconds since 1970.
    pub fn sample_at(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display, at_ms: i64) {
        write_sample(&mut self.text, name, labels, value, Some(at_ms));
    }

    /// A family of one figure without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }
}

/// Appends the line of one figure.
pub fn write_sample(
    text: &mut String,
    name: &str,
    labels: &[(&str, &str)],
    value: impl Display,
    at_ms: Option<i64>,
) {
    text.push_str(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        text.push(if at == 0 { '{' } else { ',' });
        text.push_str(label);
        text.push_str("=\"");
        push_escaped(text, value, true);
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
    // Writing into a String cannot fail.
    let _ = write!(text, " {value}");
    if let Some(at) = at_ms {
        let _ = write!(text, " {at}");
    }
    text.push('\n');
}

struct Escaped<'a>(&'a str, bool);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        push_escaped(&mut text, self.0, self.1);
        f.write_str(&text)
    }
}

/// Backslashes and ends of lines, and in values of labels quotation marks as well.
fn push_escaped(text: &mut String, raw: &str, quotes: bool) {
    let mut rest = raw;
    while let Some(at) = rest.find(|c| matches!(c, '\\' | '\n') || quotes && c == '"') {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.family("a_total", Kind::Counter, "How often\nit was \"so\".");
        page.sample("a_total", &[("tool", "x\"y\\z\n"), ("b", "")], 1.5);
        page.sample_at("a_total", &[], u64::MAX, 12);
        page.single("b", Kind::Gauge, "B.", 2);
        assert_eq!(
            page.into_text(),
            "# HELP a_total How often\\nit was \"so\".\n# TYPE a_total counter\n\
             a_total{tool=\"x\\\"y\\\\z\\n\",b=\"\"} 1.5\na_total 18446744073709551615 12\n\
             # HELP b B.\n# TYPE b gauge\nb 2\n"
        );
    }
}
