//! A map of few entries: a sorted list in one piece of memory, no larger than it has to be. Most namespaces have one
//! Ingress, one Service and one slice, and there are ten thousand of them; a tree's first node alone would be larger.

use std::{borrow::Borrow, mem::take};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SmallMap<K, V>(Box<[(K, V)]>);

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|index| &self.0[index].1)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.make_room(index, key, value),
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Ok(index) = self.place(key) {
            let mut entries = take(&mut self.0).into_vec();
            entries.remove(index);
            self.0 = entries.into_boxed_slice();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, sorted.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(there, _)| there.borrow().cmp(key))
    }

    fn make_room(&mut self, index: usize, key: K, value: V) {
        let mut entries = take(&mut self.0).into_vec();
        entries.reserve_exact(1);
        entries.insert(index, (key, value));
        self.0 = entries.into_boxed_slice();
    }
}

impl<K: Ord, V: Default> SmallMap<K, V> {
    /// The value of a key; a default one where there was none.
    pub(crate) fn entry(&mut self, key: K) -> &mut V {
        let index = match self.place(&key) {
            Ok(index) => index,
            Err(index) => {
                self.make_room(index, key, V::default());
                index
            }
        };
        &mut self.0[index].1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::SmallMap;

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in proptest::collection::vec(("[a-e]{1,2}", proptest::option::of(0_u8..9)), 0..40)) {
            let (mut map, mut model) = (SmallMap::<String, u8>::default(), BTreeMap::new());
            for (key, value) in steps {
                match value {
                    Some(8) => {
                        *map.entry(key.clone()) += 1;
                        *model.entry(key.clone()).or_default() += 1;
                    }
                    Some(value) => {
                        map.insert(key.clone(), value);
                        model.insert(key.clone(), value);
                    }
                    None => {
                        map.remove(&key);
                        model.remove(&key);
                    }
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert!(map.keys().eq(model.keys()));
                prop_assert_eq!(map.is_empty(), model.is_empty());
            }
        }
    }
}
