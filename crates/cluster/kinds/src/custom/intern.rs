//! Names and kinds that live for ever: leaked once for each distinct content, so that making and deleting the same
//! definition again and again does not grow memory.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::kind::{Kind, Subresource};

static TEXTS: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
static KINDS: LazyLock<Mutex<HashMap<String, &'static Kind>>> = LazyLock::new(Mutex::default);

/// The text, kept for ever. For names out of definitions and of stored objects, not for what anybody may send.
pub fn intern(text: &str) -> &'static str {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text) {
        return known;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    texts.insert(kept);
    kept
}

/// The text, if it has been kept.
pub fn interned(text: &str) -> Option<&'static str> {
    let texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    texts.get(text).copied()
}

/// The kind, kept for ever.
pub(super) fn kind(kind: Kind) -> &'static Kind {
    let content = format!("{kind:?}");
    match KINDS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .entry(content)
    {
        Entry::Occupied(known) => known.get(),
        Entry::Vacant(place) => place.insert(Box::leak(Box::new(kind))),
    }
}

/// The names, kept for ever.
pub(super) fn names(names: &[&'static str]) -> &'static [&'static str] {
    static LISTS: LazyLock<Mutex<HashMap<Vec<&'static str>, &'static [&'static str]>>> =
        LazyLock::new(Mutex::default);
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    lists
        .entry(names.to_vec())
        .or_insert_with(|| Box::leak(names.to_vec().into_boxed_slice()))
}

/// The subresources of a custom kind.
pub(super) fn subresources(status: bool, scale: bool) -> &'static [Subresource] {
    match (status, scale) {
        (true, true) => &[Subresource::Status, Subresource::Scale],
        (true, false) => &[Subresource::Status],
        (false, true) => &[Subresource::Scale],
        (false, false) => &[],
    }
}
