//! What an evaluation may still spend.

use crate::program::EvaluateError;

/// Steps of one evaluation: Kubernetes' own limit for one expression.
const STEPS: u64 = 1_000_000;
/// Bytes of text that cost one step to make or read through; bounds the memory of an evaluation to 16 MB.
const BYTES_PER_STEP: usize = 16;

/// The rest of a budget.
#[derive(Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    /// A whole budget.
    pub(crate) fn whole() -> Self {
        Self(STEPS)
    }

    /// Takes steps.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), EvaluateError> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.0 = self.0.checked_sub(steps).ok_or(EvaluateError::Exhausted)?;
        Ok(())
    }

    /// Takes the steps for so many bytes of text.
    pub(crate) fn spend_bytes(&mut self, bytes: usize) -> Result<(), EvaluateError> {
        self.spend(bytes / BYTES_PER_STEP + 1)
    }
}
