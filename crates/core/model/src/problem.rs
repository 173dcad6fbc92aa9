//! What is wrong with a file that an operator wrote: everything at once, each with its place.

use std::{fmt, ops::Deref};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the value, such as `registries[1]`; empty where it is the file as a whole.
    pub field: String,
    /// What stands there, the rule that it breaks, and the way out.
    pub problem: String,
}

/// Gathers what is wrong, so that everything is told at once: one after the other, with semicolons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Problem {
            field: field.into(),
            problem: problem.into(),
        });
    }

    /// Each value as what `read` makes of it; those of which it makes nothing are problems.
    pub fn each<T, E: fmt::Display>(
        &mut self,
        field: &str,
        values: &[String],
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let mut made = Vec::with_capacity(values.len());
        for (i, value) in values.iter().enumerate() {
            match read(value) {
                Ok(read) => made.push(read),
                Err(error) => self.add(format!("{field}[{i}]"), format!("{value:?}: {error}")),
            }
        }
        made
    }
}

impl Deref for Problems {
    type Target = [Problem];

    fn deref(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "{}: {}", self.field, self.problem)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.iter().map(ToString::to_string).collect();
        f.write_str(&told.join("; "))
    }
}
