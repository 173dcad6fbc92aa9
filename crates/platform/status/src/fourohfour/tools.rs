//! All tools, as visits ask for them: one by its name, and those whose names are near to another.

use toolforge_model::{Maintainer, ToolName};

use super::near::{Outline, near_misses};

/// All tools with their maintainers, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    all: Vec<Tool>,
    /// One for each of `all`: every visit of an unknown tool reads through them.
    outlines: Vec<Outline>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tool {
    name: ToolName,
    maintainers: Vec<Maintainer>,
}

impl Tools {
    /// Who looks after a tool; nothing where there is no such tool.
    pub fn maintainers(&self, name: &ToolName) -> Option<&[Maintainer]> {
        Some(&self.all[self.place(name.as_str()).ok()?].maintainers)
    }

    /// The tool with this name, in any form.
    pub(crate) fn named(&self, name: &str) -> Option<&ToolName> {
        Some(&self.all[self.place(name).ok()?].name)
    }

    /// The tools whose names are nearest to this one, nearest first.
    pub(crate) fn near(&self, name: &str) -> Vec<&ToolName> {
        near_misses(name, &self.outlines, |place| &self.all[place].name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &ToolName> {
        self.all.iter().map(|tool| &tool.name)
    }

    pub(crate) fn insert(&mut self, name: ToolName, maintainers: Vec<Maintainer>) {
        let place = self.place(name.as_str());
        let outline = Outline::of(name.as_str());
        let tool = Tool { name, maintainers };
        match place {
            Ok(there) => self.all[there] = tool,
            // The API lists by name, so that this is the end while the list is read.
            Err(between) => {
                self.all.insert(between, tool);
                self.outlines.insert(between, outline);
            }
        }
    }

    pub(crate) fn remove(&mut self, name: &ToolName) {
        if let Ok(there) = self.place(name.as_str()) {
            self.all.remove(there);
            self.outlines.remove(there);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.outlines.clear();
    }

    /// Where a tool is, or would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.all.binary_search_by(|tool| tool.name.as_str().cmp(name))
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

#[cfg(test)]
mod tests {
    use super::Tools;

    #[test]
    fn each_tool_is_there_once_and_in_order() {
        let names = |tools: &Tools| tools.names().map(ToString::to_string).collect::<Vec<_>>();
        let mut tools: Tools = ["gamma", "alpha", "beta", "alpha"]
            .map(|name| (name.parse().unwrap(), vec![]))
            .into_iter()
            .collect();
        assert_eq!(names(&tools), ["alpha", "beta", "gamma"]);
        for _ in 0..2 {
            tools.remove(&"beta".parse().unwrap());
            assert_eq!(names(&tools), ["alpha", "gamma"]);
        }
        assert_eq!(tools.maintainers(&"beta".parse().unwrap()), None);
        assert!(tools.named("gamma").is_some());
        assert_eq!(tools.near("gama"), [tools.named("gamma").unwrap()]);
        tools.clear();
        assert!(tools.near("gama").is_empty());
    }
}
