//! Items of lists, told apart by what their list type says.
//!
//! Used by everything that walks two versions of an object side by side.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::element::Element;
use crate::facts::{ListType, Node};

/// Whether the walks look into a value: granular maps and lists have parts that can be owned one by one.
pub(crate) fn is_granular(node: Node, value: &Value) -> bool {
    match value {
        Value::Object(entries) => !node.is_atomic() && !entries.is_empty(),
        Value::Array(items) => node.list_type() != ListType::Atomic && !items.is_empty(),
        _ => false,
    }
}

/// The element of an item; `None` when the item has none of the keys.
pub(crate) fn element_of(list: Node, item: &Value) -> Option<Element> {
    match list.list_type() {
        ListType::Map => {
            let keys: BTreeMap<&str, Value> = list
                .list_keys()
                .iter()
                .filter_map(|key| {
                    let value = item.get(&*key.name).filter(|value| !value.is_null()).cloned();
                    value
                        .or_else(|| key.default.clone())
                        .map(|value| (&*key.name, value))
                })
                .collect();
            let named = list
                .list_keys()
                .iter()
                .any(|key| item.get(&*key.name).is_some_and(|value| !value.is_null()));
            named.then(|| Element::key(&keys))
        }
        ListType::Set | ListType::Atomic => Some(Element::value(item)),
    }
}

/// The items of a list by their elements; of duplicates the first, as Kubernetes does with what is stored already.
#[derive(Debug)]
pub(crate) struct Items<'a> {
    pub(crate) order: Vec<(Option<Element>, &'a Value)>,
    index: HashMap<String, &'a Value>,
}

impl<'a> Items<'a> {
    pub(crate) fn of(list: Node, items: &'a [Value]) -> Self {
        let order: Vec<_> = items.iter().map(|item| (element_of(list, item), item)).collect();
        let mut index = HashMap::with_capacity(order.len());
        for (element, item) in &order {
            if let Some(element) = element {
                index.entry(element.as_str().to_owned()).or_insert(*item);
            }
        }
        Self { order, index }
    }

    pub(crate) fn get(&self, element: &Element) -> Option<&'a Value> {
        self.index.get(element.as_str()).copied()
    }

    /// The items that have an element, each once.
    pub(crate) fn distinct(&self) -> impl Iterator<Item = (&Element, &'a Value)> {
        self.order
            .iter()
            .filter_map(|(element, item)| element.as_ref().map(|element| (element, *item)))
            .filter(|(element, item)| self.get(element).is_some_and(|first| std::ptr::eq(first, *item)))
    }
}
