//! What a webhook answers, and the patch in it on an object.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use toolforge_chain::fuzzing;
use toolforge_patch::json_patch;

fuzz_target!(|data: &[u8]| {
    if let Some(patch) = fuzzing::answer(data, "u") {
        let object = json!({ "metadata": { "name": "one", "labels": { "a": "b" } }, "items": [1, { "c": null }] });
        json_patch(&object, &patch).ok();
    }
});
