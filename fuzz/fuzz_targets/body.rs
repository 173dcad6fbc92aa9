//! A body in any of its formats, through all that happens to it before anybody else is asked: decoding, defaults,
//! validation, the columns of `kubectl get`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolforge_apiserver::fuzzing;
use toolforge_kinds::{IncludeObject, all};

const FORMATS: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

fuzz_target!(|data: &[u8]| {
    let [kind, format, body @ ..] = data else { return };
    let kinds = all();
    let kind = &kinds[usize::from(*kind) % kinds.len()];
    let format = FORMATS[usize::from(*format) % FORMATS.len()];
    let Some(mut object) = fuzzing::body(format, body) else {
        return;
    };
    if toolforge_kinds::decode(kind, &mut object).is_err() {
        return;
    }
    toolforge_kinds::apply_defaults(kind, &mut object);
    toolforge_kinds::prepare_for_create(kind, &mut object);
    toolforge_kinds::validate_create(kind, &object);
    let mut changed = object.clone();
    toolforge_kinds::prepare_for_update(kind, &object, &mut changed, None);
    toolforge_kinds::validate_update(kind, &object, &changed, None);
    let now = jiff::Timestamp::UNIX_EPOCH;
    toolforge_kinds::table(kind, &[&object], now, IncludeObject::None);
});
