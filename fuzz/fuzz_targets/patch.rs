//! A patch of each kind on an object: two JSON documents, separated by a zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use toolforge_kinds::all;
use toolforge_patch::{TypeRef, apply, json_patch, merge_patch, strategic_merge, track_update};

const NOW: &str = "2026-01-01T00:00:00Z";

fuzz_target!(|data: &[u8]| {
    let [kind, documents @ ..] = data else { return };
    let kinds = all();
    let kind = &kinds[usize::from(*kind) % kinds.len()];
    let schema = TypeRef::of(kind.group, kind.version, kind.kind);
    let mut documents = documents.splitn(2, |byte| *byte == 0);
    let mut next = || serde_json::from_slice::<Value>(documents.next()?).ok();
    let (Some(object), Some(patch)) = (next(), next()) else {
        return;
    };
    json_patch(&object, &patch).ok();
    let mut merged = merge_patch(&object, &patch);
    strategic_merge(schema, &object, &patch).ok();
    track_update(schema, Some(&object), &mut merged, "fuzzer", None, NOW);
    if let Ok(applied) = apply(schema, Some(&object), &patch, "fuzzer", true, NOW) {
        // Applying the same again is no change and no conflict.
        let again = apply(schema, Some(&applied), &patch, "fuzzer", false, NOW);
        assert_eq!(again.as_ref().ok(), Some(&applied));
    }
});
