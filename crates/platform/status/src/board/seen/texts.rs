//! Names and what each of them says: labels, annotations, amounts. A tree would have room for eleven of them from the first on;
//! there are thousands of objects, and few have more than three.

use std::{collections::BTreeMap, iter::Map, slice};

use serde::{Serialize, Serializer};
use smol_str::SmolStr;

/// Texts by name, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts(Box<[Pair]>);

impl Texts {
    /// What is said under this name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name));
        at.ok().map(|at| self.0[at].1.as_str())
    }

    pub(crate) fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.into_iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

type Pair = (SmolStr, SmolStr);

impl<'a> IntoIterator for &'a Texts {
    type Item = (&'a str, &'a str);
    type IntoIter = Map<slice::Iter<'a, Pair>, fn(&'a Pair) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, said)| (name.as_str(), said.as_str()))
    }
}

/// Those that this tells of, by name.
impl<T: AsRef<str>> FromIterator<(String, T)> for Texts {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(texts: I) -> Self {
        let mut all: Vec<Pair> = texts
            .into_iter()
            .map(|(name, said)| (name.into(), said.as_ref().into()))
            .collect();
        all.sort();
        Self(all.into_boxed_slice())
    }
}

impl From<Option<BTreeMap<String, String>>> for Texts {
    fn from(texts: Option<BTreeMap<String, String>>) -> Self {
        texts.into_iter().flatten().collect()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}
