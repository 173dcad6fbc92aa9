//! Names of policies, or all there are.

use std::collections::BTreeSet;

/// Which policies a role gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PolicySet {
    /// All there are, and will be.
    All,
    /// Those of these names.
    Named(BTreeSet<String>),
}

impl Default for PolicySet {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl PolicySet {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }

    /// Takes in another set, if there is one.
    pub(super) fn extend(&mut self, other: Option<&Self>) {
        match (&mut *self, other) {
            (Self::All, _) | (_, None) => {}
            (_, Some(Self::All)) => *self = Self::All,
            (Self::Named(names), Some(Self::Named(others))) => names.extend(others.iter().cloned()),
        }
    }
}
