//! An expression of the Common Expression Language, compiled and evaluated.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use toolforge_cel::Program;

fuzz_target!(|source: &str| {
    let Ok(program) = Program::compile(source) else { return };
    let this = json!({ "a": [1, 2.5, "x", null, true], "b": { "c": "2026-01-01T00:00:00Z" }, "n": 3 });
    program.evaluate(&[("self", &this), ("oldSelf", &this)]).ok();
});
