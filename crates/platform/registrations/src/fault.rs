//! What is wrong with something that a tool asked for: field, rule, what stands there, and the way out. Pure.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The field, as the API names it.
    pub field: &'static str,
    /// The rule's name.
    pub rule: &'static str,
    /// What stands there, and what is wrong with it.
    pub problem: String,
    /// What to do instead.
    pub way_out: String,
}

impl Fault {
    pub(crate) fn new(
        field: &'static str,
        rule: &'static str,
        problem: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self {
            field,
            rule,
            problem: problem.into(),
            way_out: way_out.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.way_out)
    }
}

/// A text from outside, as far as it is worth repeating.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{:?}...", &text[..at]),
        None => format!("{text:?}"),
    }
}
