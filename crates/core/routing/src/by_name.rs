//! The objects of one kind in a namespace, by their names. Most namespaces have one of each kind, and there are ten thousand
//! of them: one object takes no memory here besides the pointer to it.

use std::{mem::take, slice, sync::Arc};

use smol_str::SmolStr;

use crate::{EndpointSlice, Ingress, Registered, Service};

/// What has a name in its namespace.
pub(crate) trait Named {
    /// The name.
    fn name(&self) -> &SmolStr;
}

/// Objects, sorted by name.
#[derive(Clone, Debug)]
pub(crate) enum ByName<T> {
    One(Arc<T>),
    Others(Box<[Arc<T>]>),
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self::Others(Box::default())
    }
}

impl<T: Named> ByName<T> {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<T>> {
        let all = self.all();
        self.place(name).ok().map(|index| &all[index])
    }

    pub(crate) fn insert(&mut self, object: Arc<T>) {
        let place = self.place(object.name());
        let mut all = self.take();
        match place {
            Ok(index) => all[index] = object,
            Err(index) => {
                all.reserve_exact(1);
                all.insert(index, object);
            }
        }
        *self = Self::of(all);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Ok(index) = self.place(name) {
            let mut all = self.take();
            all.remove(index);
            *self = Self::of(all);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// The names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.all().iter().map(|object| object.name())
    }

    /// The objects, sorted by name.
    pub(crate) fn values(&self) -> slice::Iter<'_, Arc<T>> {
        self.all().iter()
    }

    fn all(&self) -> &[Arc<T>] {
        match self {
            Self::One(object) => slice::from_ref(object),
            Self::Others(objects) => objects,
        }
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.all()
            .binary_search_by(|object| object.name().as_str().cmp(name))
    }

    fn take(&mut self) -> Vec<Arc<T>> {
        match take(self) {
            Self::One(object) => vec![object],
            Self::Others(objects) => objects.into_vec(),
        }
    }

    fn of(mut objects: Vec<Arc<T>>) -> Self {
        match objects.pop() {
            Some(only) if objects.is_empty() => Self::One(only),
            last => {
                objects.extend(last);
                Self::Others(objects.into_boxed_slice())
            }
        }
    }
}

impl Named for Ingress {
    fn name(&self) -> &SmolStr {
        &self.key.name
    }
}

impl Named for Service {
    fn name(&self) -> &SmolStr {
        &self.key.name
    }
}

impl Named for EndpointSlice {
    fn name(&self) -> &SmolStr {
        &self.key.name
    }
}

impl Named for Registered {
    fn name(&self) -> &SmolStr {
        &self.key.name
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Arc, ByName, Named, SmolStr};

    #[derive(Debug, PartialEq, Eq)]
    struct Thing(SmolStr, u8);

    impl Named for Thing {
        fn name(&self) -> &SmolStr {
            &self.0
        }
    }

    #[test]
    fn one_object_takes_no_more_than_a_list_of_none() {
        assert_eq!(size_of::<ByName<Thing>>(), size_of::<Box<[Arc<Thing>]>>());
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in proptest::collection::vec(("[a-e]{1,2}", proptest::option::of(0_u8..9)), 0..40)) {
            let (mut objects, mut model) = (ByName::default(), BTreeMap::new());
            for (name, value) in steps {
                if let Some(value) = value {
                    objects.insert(Arc::new(Thing(name.as_str().into(), value)));
                    model.insert(name.clone(), value);
                } else {
                    objects.remove(&name);
                    model.remove(&name);
                }
                prop_assert_eq!(objects.get(&name).map(|thing| &thing.1), model.get(&name));
                prop_assert!(objects.names().eq(model.keys()));
                prop_assert!(objects.values().map(|thing| &thing.1).eq(model.values()));
                prop_assert_eq!(objects.is_empty(), model.is_empty());
            }
        }
    }
}
