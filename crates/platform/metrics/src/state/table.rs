//! The rendered objects of one kind.

use std::sync::Arc;

use kube::runtime::watcher::Event;
use parking_lot::RwLock;

use super::block::{Block, Blocks, Key, MOST_ROWS, Row};
use super::lines::{Family, Lines};

/// A kind that has figures.
pub(crate) trait Rendered {
    /// The families, in the order of the page.
    const FAMILIES: &'static [Family];

    /// Renders the figures of one object.
    fn render<'a>(&'a self, lines: &mut Lines<'a>);
}

/// All objects of a kind.
#[derive(Debug)]
pub(crate) struct Table {
    plural: &'static str,
    families: &'static [Family],
    blocks: RwLock<Blocks>,
}

impl Table {
    pub(super) fn new(plural: &'static str, families: &'static [Family]) -> Self {
        Self {
            plural,
            families,
            blocks: RwLock::default(),
        }
    }

    pub(super) fn plural(&self) -> &'static str {
        self.plural
    }

    pub(super) fn families(&self) -> &'static [Family] {
        self.families
    }

    /// How many objects there are.
    pub(super) fn objects(&self) -> usize {
        self.blocks.read().objects()
    }

    /// What was rendered of them, at this moment.
    pub(super) fn blocks(&self) -> Vec<Arc<Block>> {
        self.blocks.read().all()
    }
}

/// Keeps a table as the API says.
pub(super) struct Follower {
    table: Arc<Table>,
    /// The list being read; the old one is served until it is complete.
    listed: Blocks,
    /// What has been read of it since, a block at most: one copy for all of them.
    rows: Vec<(Key, Row)>,
}

impl Follower {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Self {
            table,
            listed: Blocks::default(),
            rows: Vec::new(),
        }
    }

    pub(super) fn take<K: Rendered + kube::Resource>(&mut self, event: Event<K>) {
        match event {
            Event::Init => {
                self.listed = Blocks::default();
                self.rows.clear();
            }
            Event::InitApply(object) => {
                self.rows.push((key(&object), Row::of(&object)));
                if self.rows.len() == MOST_ROWS {
                    self.listed.put_all(std::mem::take(&mut self.rows));
                }
            }
            Event::InitDone => {
                self.listed.put_all(std::mem::take(&mut self.rows));
                *self.table.blocks.write() = std::mem::take(&mut self.listed);
            }
            Event::Apply(object) => {
                let row = Row::of(&object);
                self.table.blocks.write().put(key(&object), &row);
            }
            Event::Delete(object) => {
                let families = self.table.families.len();
                self.table.blocks.write().remove(&key(&object), families);
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
