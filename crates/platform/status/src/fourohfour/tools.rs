//! All tools, as visits ask for them: one by its name, and those whose names are near to another.

use std::collections::BTreeMap;

use toolforge_model::{Maintainer, ToolName};

use super::near::{Letters, near_misses};

/// All tools with their maintainers, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools(BTreeMap<ToolName, Tool>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tool {
    /// Every visit of an unknown tool looks at those of all names, so they are not read out of the names each time.
    letters: Letters,
    maintainers: Vec<Maintainer>,
}

impl Tools {
    /// Who looks after a tool; nothing where there is no such tool.
    pub fn maintainers(&self, name: &ToolName) -> Option<&[Maintainer]> {
        Some(&self.0.get(name)?.maintainers)
    }

    /// The tool with this name, in any form.
    pub(crate) fn named(&self, name: &str) -> Option<&ToolName> {
        Some(self.0.get_key_value(name)?.0)
    }

    /// The tools whose names are nearest to this one, nearest first.
    pub(crate) fn near(&self, name: &str) -> Vec<&ToolName> {
        near_misses(name, self.0.iter().map(|(name, tool)| (tool.letters, name)))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &ToolName> {
        self.0.keys()
    }

    pub(crate) fn insert(&mut self, name: ToolName, maintainers: Vec<Maintainer>) {
        let letters = Letters::of(name.as_str());
        self.0.insert(name, Tool { letters, maintainers });
    }

    pub(crate) fn remove(&mut self, name: &ToolName) {
        self.0.remove(name);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl FromIterator<(ToolName, Vec<Maintainer>)> for Tools {
    fn from_iter<I: IntoIterator<Item = (ToolName, Vec<Maintainer>)>>(all: I) -> Self {
        let mut tools = Self::default();
        for (name, maintainers) in all {
            tools.insert(name, maintainers);
        }
        tools
    }
}
