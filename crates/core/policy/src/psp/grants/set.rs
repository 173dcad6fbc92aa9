//! Names of policies, or all there are.

use std::collections::BTreeSet;

/// Which policies a role gives, or several together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PolicySet<N: Ord = String> {
    /// All there are, and will be.
    All,
    /// Those of these names.
    Named(BTreeSet<N>),
}

impl<N: Ord> Default for PolicySet<N> {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl<N: Ord> PolicySet<N> {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }

    /// Takes in another set, if there is one.
    pub(super) fn extend<'a>(&mut self, other: Option<&'a PolicySet>)
    where
        N: From<&'a str>,
    {
        match (&mut *self, other) {
            (Self::All, _) | (_, None) => {}
            (_, Some(PolicySet::All)) => *self = Self::All,
            (Self::Named(names), Some(PolicySet::Named(others))) => {
                names.extend(others.iter().map(|name| N::from(name)));
            }
        }
    }
}
