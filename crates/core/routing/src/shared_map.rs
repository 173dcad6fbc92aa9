//! A map of names whose copies share what they have in common: changing one entry copies only its shard.
//!
//! With ten thousand hosts a change copies 256 pointers and some forty entries, not ten thousand.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use smol_str::SmolStr;

/// The number of shards: near the square root of the number of hosts, where a copy of all pointers and one of a
/// shard's entries cost about the same.
const SHARDS: usize = 256;

type Shard<V> = Arc<HashMap<SmolStr, V>>;

#[derive(Clone, Debug)]
pub(crate) struct SharedMap<V> {
    shards: Vec<Shard<V>>,
    hasher: RandomState,
}

impl<V> Default for SharedMap<V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::new());
        Self {
            shards: vec![empty; SHARDS],
            hasher: RandomState::new(),
        }
    }
}

impl<V: Clone> SharedMap<V> {
    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.shards[self.shard(name)].get(name)
    }

    pub(crate) fn put(&mut self, name: impl Into<SmolStr>, value: V) {
        let name = name.into();
        let shard = self.shard(&name);
        Arc::make_mut(&mut self.shards[shard]).insert(name, value);
    }

    /// Changes the value of a name; a default one where there was none.
    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        let shard = self.shard(name);
        let shard = Arc::make_mut(&mut self.shards[shard]);
        if let Some(value) = shard.get_mut(name) {
            change(value);
        } else {
            let mut value = V::default();
            change(&mut value);
            shard.insert(name.into(), value);
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        let shard = self.shard(name);
        if self.shards[shard].contains_key(name) {
            Arc::make_mut(&mut self.shards[shard]).remove(name);
        }
    }

    /// All entries, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.shards
            .iter()
            .flat_map(|shard| shard.iter().map(|(name, value)| (name.as_str(), value)))
    }

    fn shard(&self, name: &str) -> usize {
        // The remainder is below SHARDS, so it fits.
        usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::SharedMap;

    proptest! {
        #[test]
        fn behaves_as_a_map_and_leaves_its_copies_alone(
            steps in proptest::collection::vec(("[a-e]{1,3}", proptest::option::of(0_u8..9)), 0..60),
        ) {
            let mut map = SharedMap::default();
            let mut model = BTreeMap::new();
            for (name, value) in steps {
                let copy = map.clone();
                let before = model.clone();
                if let Some(8) = value {
                    map.change(&name, |value| *value += 1);
                    *model.entry(name).or_default() += 1;
                } else if let Some(value) = value {
                    map.put(name.as_str(), value);
                    model.insert(name, value);
                } else {
                    map.remove(&name);
                    model.remove(&name);
                }
                let seen: BTreeMap<_, _> = map.iter().map(|(name, value)| (name.to_owned(), *value)).collect();
                prop_assert_eq!(&seen, &model);
                let kept: BTreeMap<_, _> = copy.iter().map(|(name, value)| (name.to_owned(), *value)).collect();
                prop_assert_eq!(kept, before);
            }
        }
    }
}
