//! The rendered objects of one kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::runtime::watcher::Event;
use parking_lot::RwLock;

use super::lines::{Family, Lines};

/// A kind that has figures.
pub(crate) trait Rendered {
    /// The families, in the order of the page.
    const FAMILIES: &'static [Family];

    /// Renders the figures of one object.
    fn render<'a>(&'a self, lines: &mut Lines<'a>);
}

type Key = (String, String);

/// What was rendered of one object: the lines of its families, one after another.
#[derive(Debug)]
pub(crate) struct Row {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl Row {
    /// Renders an object.
    pub(crate) fn of<K: Rendered>(object: &K) -> Self {
        let mut lines = Lines::new(K::FAMILIES);
        object.render(&mut lines);
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(K::FAMILIES.len()));
        for part in lines.into_texts() {
            text.push_str(&part);
            // An object is at most some megabytes, and so are its lines.
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self {
            text: text.into_boxed_str(),
            ends: ends.into_boxed_slice(),
        }
    }

    /// The lines of one family, by its place among them.
    pub(super) fn family(&self, at: usize) -> &str {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        let begin = at.checked_sub(1).map_or(0, end);
        self.text.get(begin..end(at)).unwrap_or_default()
    }
}

/// All objects of a kind.
#[derive(Debug)]
pub(crate) struct Table {
    plural: &'static str,
    families: &'static [Family],
    rows: RwLock<BTreeMap<Key, Arc<Row>>>,
}

impl Table {
    pub(super) fn new(plural: &'static str, families: &'static [Family]) -> Self {
        Self {
            plural,
            families,
            rows: RwLock::default(),
        }
    }

    pub(super) fn plural(&self) -> &'static str {
        self.plural
    }

    pub(super) fn families(&self) -> &'static [Family] {
        self.families
    }

    /// All rows at this moment.
    pub(super) fn rows(&self) -> Vec<Arc<Row>> {
        self.rows.read().values().cloned().collect()
    }
}

/// Keeps a table as the API says.
pub(super) struct Follower {
    table: Arc<Table>,
    /// The list being read; the old one is served until it is complete.
    listed: BTreeMap<Key, Arc<Row>>,
}

impl Follower {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Self {
            table,
            listed: BTreeMap::new(),
        }
    }

    pub(super) fn take<K: Rendered + kube::Resource>(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.insert(key(&object), Arc::new(Row::of(&object)));
            }
            Event::InitDone => *self.table.rows.write() = std::mem::take(&mut self.listed),
            Event::Apply(object) => {
                let row = Arc::new(Row::of(&object));
                self.table.rows.write().insert(key(&object), row);
            }
            Event::Delete(object) => {
                self.table.rows.write().remove(&key(&object));
            }
        }
    }
}

fn key<K: kube::Resource>(object: &K) -> Key {
    let metadata = object.meta();
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}
