//! Which objects are kept as what they share with others: large ones that were not written lately.
//!
//! Used by the committer, and by the recovery for all that it reads. Who reads an object does not notice, see [`super::packed`].

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::disk::is_sealed;
use super::key::Resource;
use super::object::Stored;
use super::packed::{PATTERN_BYTES, Packed, Pattern};

/// Smaller objects stay as they are: what an object takes beside its JSON is about as much.
const LEAST_BYTES: usize = 1 << 10;
/// Patterns of a resource that an object is compared with: about as many makers of objects may take turns.
const PATTERNS: usize = 4;
/// A pattern of which an object differs in less than this part is good enough not to look for a better one.
const GOOD_PART: usize = 8;
/// Bytes of JSON of the latest writes that stay as they are: controllers and watches are still at them.
const FRESH_BYTES: usize = 1 << 20;

/// Packs objects, by the patterns that it has found so far.
#[derive(Debug, Default)]
pub(super) struct Packer {
    /// The one that was of use last comes first.
    patterns: HashMap<Resource, VecDeque<Pattern>>,
    fresh: VecDeque<Arc<Stored>>,
    fresh_bytes: usize,
}

impl Packer {
    /// An object was written: it is packed when others were after it, if it is kept until then.
    pub(super) fn written(&mut self, object: Arc<Stored>) {
        self.fresh_bytes += object.length();
        self.fresh.push_back(object);
        while self.fresh_bytes > FRESH_BYTES
            && let Some(oldest) = self.fresh.pop_front()
        {
            self.fresh_bytes -= oldest.length();
            if Arc::strong_count(&oldest) > 1 {
                self.pack(&oldest);
            }
        }
    }

    /// Packs an object, where that makes it much smaller. Secrets are never part of another object, and never packed.
    pub(super) fn pack(&mut self, object: &Stored) {
        let resource = object.key.resource;
        let can_be = (LEAST_BYTES..=PATTERN_BYTES).contains(&object.length());
        if can_be
            && !is_sealed(resource)
            && let Some(packed) = packed(self.patterns.entry(resource).or_default(), object.json())
        {
            object.keep_packed(packed);
        }
    }
}

/// A text by the pattern that suits it; one that none suits is a pattern from now on.
fn packed(patterns: &mut VecDeque<Pattern>, text: Bytes) -> Option<Packed> {
    let mut best: Option<(usize, Packed)> = None;
    let mut most = text.len() / 2;
    for (index, pattern) in patterns.iter().enumerate() {
        if let Some(packed) = pattern.pack(&text, most) {
            most = packed.size();
            best = Some((index, packed));
        }
        if most < text.len() / GOOD_PART {
            break;
        }
    }
    if let Some((index, packed)) = best {
        let used = patterns.remove(index);
        patterns.extend(used);
        patterns.rotate_right(1);
        return Some(packed);
    }
    patterns.truncate(PATTERNS - 1);
    patterns.push_front(Pattern::of(text));
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Key;

    fn object(plural: &str, maker: &str, number: u64) -> Arc<Stored> {
        let name = format!("{maker}-{number}");
        let lines: Vec<String> = (0..60)
            .map(|line| format!("{maker} says {line} {maker}"))
            .collect();
        let key = Key::new(Resource::find("", plural).unwrap(), Some("a"), &name);
        let value = json!({"metadata": {"name": name}, "data": {"lines": lines}});
        Arc::new(Stored::stamp(key, number, value, "ADDED"))
    }

    fn packed_of(objects: &[Arc<Stored>]) -> usize {
        objects.iter().filter(|object| object.is_packed()).count()
    }

    #[test]
    fn objects_of_a_few_makers_in_turn_are_packed_but_for_the_first_of_each() {
        let mut packer = Packer::default();
        let makers = ["one", "another", "third", "fourth"];
        let objects: Vec<_> = (0..40)
            .map(|number| object("configmaps", makers[number % 4], number as u64))
            .collect();
        let before: Vec<Bytes> = objects.iter().map(|object| object.json()).collect();
        for object in &objects {
            packer.pack(object);
        }
        assert_eq!(packed_of(&objects), 36);
        let after: Vec<Bytes> = objects.iter().map(|object| object.json()).collect();
        assert_eq!(before, after);
    }

    #[test]
    fn secrets_and_small_objects_stay_as_they_are() {
        let mut packer = Packer::default();
        let secrets: Vec<_> = (0..9).map(|number| object("secrets", "one", number)).collect();
        let small = Arc::new(Stored::stamp(
            secrets[0].key.clone(),
            1,
            json!({"metadata": {}}),
            "ADDED",
        ));
        for object in secrets.iter().chain([&small, &small]) {
            packer.pack(object);
        }
        assert_eq!((packed_of(&secrets), small.is_packed()), (0, false));
    }

    #[test]
    fn the_latest_writes_and_what_nobody_keeps_are_left_alone() {
        let mut packer = Packer::default();
        let bytes = object("configmaps", "one", 1).length();
        let fresh = FRESH_BYTES / bytes - 1;
        let kept: Vec<_> = (0..fresh as u64 + 100)
            .map(|number| object("configmaps", "one", number))
            .collect();
        for object in &kept {
            packer.written(object.clone());
        }
        let count = packed_of(&kept);
        assert!((50..=150).contains(&count), "{count}");
        let forgotten = object("configmaps", "one", 7);
        let watched = Arc::downgrade(&forgotten);
        packer.written(forgotten);
        for object in &kept {
            packer.written(object.clone());
        }
        assert!(watched.upgrade().is_none());
    }
}
