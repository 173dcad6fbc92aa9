//! Why a policy file is not used, in words for the operator.

use toolforge_model::Problems;

/// Why there are no policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicySettingsError {
    /// The text is not a policy file.
    #[error("the policy cannot be read: {0}")]
    Unreadable(String),
    /// Values break rules; each is told.
    #[error("the policy does not work: {0}")]
    Values(Problems),
}

impl From<Problems> for PolicySettingsError {
    fn from(problems: Problems) -> Self {
        Self::Values(problems)
    }
}
