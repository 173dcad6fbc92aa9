//! What is wrong with a policy file, in words for the operator.

use std::fmt;

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Path of the value, such as `registries[1]`.
    pub field: String,
    /// What stands there, the rule that it breaks, and the way out.
    pub problem: String,
}

/// Why there are no policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicySettingsError {
    /// The text is not a policy file.
    #[error("the policy cannot be read: {0}")]
    Unreadable(String),
    /// Values break rules; each is told.
    #[error("the policy does not work: {}", list(.0))]
    Values(Vec<PolicyProblem>),
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

fn list(problems: &[PolicyProblem]) -> String {
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    told.join("; ")
}

/// Gathers what is wrong, so that everything is told at once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<PolicyProblem>);

impl Problems {
    pub(super) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(PolicyProblem {
            field: field.into(),
            problem: problem.into(),
        });
    }

    /// Each value as what `read` makes of it; those of which it makes nothing are problems.
    pub(super) fn each<T, E: fmt::Display>(
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

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Problems> for PolicySettingsError {
    fn from(problems: Problems) -> Self {
        Self::Values(problems.0)
    }
}
