//! What was rendered of the objects of a kind, kept as the page wants it.
//!
//! A page goes family by family through all objects. Were each object's lines a text of their own, a page of 10,000 Pods
//! would fetch a million places of memory; so the lines of neighbours lie together, each family's in one piece, and a
//! page is made of these pieces as they are.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::gzip::{Deflated, Deflater};
use super::lines::Lines;
use super::table::Rendered;

/// Most objects of a block. A change of one copies the lines of all: half a megabyte for Pods.
pub(super) const MOST_ROWS: usize = 64;

/// Namespace and name.
pub(super) type Key = (String, String);

/// What was rendered of one object: the lines of its families, one after another.
#[derive(Debug)]
pub(super) struct Row {
    text: String,
    ends: Vec<u32>,
}

impl Row {
    /// Renders an object.
    pub(super) fn of<K: Rendered>(object: &K) -> Self {
        let mut lines = Lines::new(K::FAMILIES);
        object.render(&mut lines);
        let (mut text, mut ends) = (String::new(), Vec::with_capacity(K::FAMILIES.len()));
        for part in lines.into_texts() {
            text.push_str(&part);
            ends.push(place(text.len()));
        }
        Self { text, ends }
    }

    fn family(&self, at: usize) -> &[u8] {
        piece(self.text.as_bytes(), &self.ends, at, 1)
    }
}

/// The lines of neighbouring objects, family by family.
#[derive(Debug)]
pub(super) struct Block {
    keys: Vec<Key>,
    text: Bytes,
    /// Where the lines of an object end: all objects of the first family, all of the second, and so on.
    ends: Box<[u32]>,
    /// The same, deflated, each family for itself: made when somebody first asks, and good until an object changes.
    deflated: OnceLock<Box<[Deflated]>>,
}

impl Block {
    /// Puts lines together. All have the same families.
    fn of(rows: Vec<(Key, Part<'_>)>, families: usize) -> Self {
        let length = rows.iter().map(|(_, part)| part.length(families)).sum();
        let (mut text, mut ends) = (
            Vec::with_capacity(length),
            Vec::with_capacity(rows.len() * families),
        );
        for family in 0..families {
            for (_, part) in &rows {
                text.extend_from_slice(part.family(family));
                ends.push(place(text.len()));
            }
        }
        Self {
            keys: rows.into_iter().map(|(key, _)| key).collect(),
            text: text.into(),
            ends: ends.into_boxed_slice(),
            deflated: OnceLock::new(),
        }
    }

    /// The lines of all its objects of one family, by its place among them. Nothing is copied.
    pub(super) fn family(&self, at: usize) -> Bytes {
        self.text
            .slice_ref(piece(&self.text, &self.ends, at, self.keys.len()))
    }

    /// As [`Block::family`], deflated.
    pub(super) fn deflated(&self, at: usize) -> Option<&Deflated> {
        let all = self.deflated.get_or_init(|| {
            let mut deflater = Deflater::default();
            let families = 0..self.ends.len() / self.keys.len().max(1);
            families
                .map(|at| deflater.deflate(piece(&self.text, &self.ends, at, self.keys.len())))
                .collect()
        });
        all.get(at)
    }

    fn parts(&self) -> Vec<(Key, Part<'_>)> {
        let keys = self.keys.iter().cloned().enumerate();
        keys.map(|(row, key)| (key, Part::Kept(self, row))).collect()
    }
}

/// The lines of one object, new or as they are in a block.
enum Part<'a> {
    New(&'a Row),
    Kept(&'a Block, usize),
}

impl Part<'_> {
    fn family(&self, at: usize) -> &[u8] {
        match self {
            Self::New(row) => row.family(at),
            Self::Kept(block, row) => piece(&block.text, &block.ends, at * block.keys.len() + row, 1),
        }
    }

    fn length(&self, families: usize) -> usize {
        match self {
            Self::New(row) => row.text.len(),
            Self::Kept(..) => (0..families).map(|at| self.family(at).len()).sum(),
        }
    }
}

/// So many pieces of a text from the `at * count`th on.
fn piece<'a>(text: &'a [u8], ends: &[u32], at: usize, count: usize) -> &'a [u8] {
    let end = |of: usize| of.checked_sub(1).and_then(|last| ends.get(last)).copied();
    let (from, to) = (end(at * count).unwrap_or(0), end((at + 1) * count).unwrap_or(0));
    text.get(from as usize..to as usize).unwrap_or_default()
}

/// A place in a text. An object is at most some megabytes, and so are the lines of a few.
fn place(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// All objects of a kind, sorted, in blocks that are replaced whole.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Arc<Block>>);

impl Blocks {
    /// How many objects there are.
    pub(super) fn objects(&self) -> usize {
        self.0.iter().map(|block| block.keys.len()).sum()
    }

    /// The blocks at this moment.
    pub(super) fn all(&self) -> Vec<Arc<Block>> {
        self.0.clone()
    }

    /// Puts the lines of an object in, in place of those that it had.
    pub(super) fn put(&mut self, key: Key, row: &Row) {
        let families = row.ends.len();
        let at = self.place_of(&key);
        let Some(block) = self.0.get(at).cloned() else {
            self.0.push(alone(key, row, families));
            return;
        };
        let mut parts = block.parts();
        match block.keys.binary_search(&key) {
            Ok(known) => parts[known] = (key, Part::New(row)),
            Err(new) => parts.insert(new, (key, Part::New(row))),
        }
        self.replace(at, 1, parts, families);
    }

    /// Puts the lines of up to [`MOST_ROWS`] objects in. Those of a list come sorted, and become a block without more ado.
    pub(super) fn put_all(&mut self, rows: Vec<(Key, Row)>) {
        let last = self.0.last().and_then(|block| block.keys.last());
        let follow = rows
            .first()
            .is_some_and(|(first, _)| last.is_none_or(|last| last < first));
        if follow && rows.len() <= MOST_ROWS && rows.is_sorted_by(|(one, _), (next, _)| one < next) {
            let families = rows.first().map_or(0, |(_, row)| row.ends.len());
            let parts = rows.iter().map(|(key, row)| (key.clone(), Part::New(row)));
            self.0.push(Arc::new(Block::of(parts.collect(), families)));
        } else {
            for (key, row) in rows {
                self.put(key, &row);
            }
        }
    }

    /// Takes an object out.
    pub(super) fn remove(&mut self, key: &Key, families: usize) {
        let at = self.place_of(key);
        let Some(block) = self.0.get(at).cloned() else {
            return;
        };
        let Ok(known) = block.keys.binary_search(key) else {
            return;
        };
        let mut parts = block.parts();
        parts.remove(known);
        // Half empty neighbours become one block, lest a thousand deletions leave a thousand small ones.
        let next = self.0.get(at + 1).cloned();
        let joined = next.filter(|next| parts.len() + next.keys.len() <= MOST_ROWS / 2);
        let count = 1 + usize::from(joined.is_some());
        if let Some(next) = &joined {
            parts.extend(next.parts());
        }
        self.replace(at, count, parts, families);
    }

    /// The block in which this object is, or would be.
    fn place_of(&self, key: &Key) -> usize {
        let after = self
            .0
            .partition_point(|block| block.keys.first().is_some_and(|first| first <= key));
        after.saturating_sub(1)
    }

    /// Puts blocks with these lines in the place of `count` blocks.
    fn replace(&mut self, at: usize, count: usize, mut parts: Vec<(Key, Part<'_>)>, families: usize) {
        let mut blocks = Vec::new();
        if parts.len() > MOST_ROWS {
            let half = parts.split_off(parts.len() / 2);
            blocks.push(Arc::new(Block::of(parts, families)));
            parts = half;
        }
        if !parts.is_empty() {
            blocks.push(Arc::new(Block::of(parts, families)));
        }
        self.0.splice(at..at + count, blocks);
    }
}

/// A block of one object.
fn alone(key: Key, row: &Row, families: usize) -> Arc<Block> {
    Arc::new(Block::of(vec![(key, Part::New(row))], families))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The families of the objects below; one has no lines, as often.
    const FAMILIES: usize = 3;

    fn row(value: u8) -> Row {
        let lines = [
            "a".repeat(usize::from(value) % 5),
            String::new(),
            format!("{value}\n"),
        ];
        let mut text = String::new();
        let ends = lines.map(|line| {
            text.push_str(&line);
            place(text.len())
        });
        Row {
            text,
            ends: ends.into(),
        }
    }

    fn key(name: u16) -> Key {
        (format!("n{}", name % 7), format!("{name:05}"))
    }

    fn page(blocks: &Blocks) -> Vec<u8> {
        let all = (0..FAMILIES).flat_map(|family| {
            let blocks = blocks.all();
            blocks.into_iter().flat_map(move |block| block.family(family))
        });
        all.collect()
    }

    /// Every family of every object once, in order, as if there were no blocks.
    fn expected(objects: &BTreeMap<Key, u8>) -> Vec<u8> {
        let all = (0..FAMILIES).flat_map(|family| {
            objects
                .values()
                .flat_map(move |value| row(*value).family(family).to_vec())
        });
        all.collect()
    }

    proptest! {
        #[test]
        fn any_history_gives_the_page_of_what_is_there(
            history in proptest::collection::vec((0_u16..300, proptest::option::weighted(0.6, any::<u8>())), 0..600),
        ) {
            let (mut blocks, mut objects) = (Blocks::default(), BTreeMap::new());
            for (name, change) in history {
                if let Some(value) = change {
                    blocks.put(key(name), &row(value));
                    objects.insert(key(name), value);
                } else {
                    blocks.remove(&key(name), FAMILIES);
                    objects.remove(&key(name));
                }
                prop_assert_eq!(blocks.objects(), objects.len());
            }
            prop_assert_eq!(page(&blocks), expected(&objects));
            prop_assert!(blocks.all().iter().all(|block| (1..=MOST_ROWS).contains(&block.keys.len())));
        }
    }

    #[test]
    fn a_list_gives_the_same_page_in_any_order_and_fills_its_blocks_when_it_is_sorted() {
        let count = u16::try_from(MOST_ROWS * 3).expect("few");
        let (mut sorted, mut turned) = (Blocks::default(), Blocks::default());
        let names: Vec<u16> = (0..count).collect();
        let rows = |names: &[u16]| names.iter().map(|name| (key(name * 7), row(1))).collect();
        for names in names.chunks(MOST_ROWS) {
            sorted.put_all(rows(names));
        }
        for names in names.rchunks(MOST_ROWS - 1) {
            turned.put_all(rows(names));
        }
        assert_eq!(sorted.all().len(), 3);
        assert_eq!(
            (turned.objects(), page(&turned)),
            (sorted.objects(), page(&sorted))
        );
    }
}
