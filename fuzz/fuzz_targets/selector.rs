//! A label selector, a field selector and an object that they look at, separated by zero bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let (labels, fields, json) = (next(), next(), next());
    if let (Ok(labels), Ok(fields)) = (std::str::from_utf8(labels), std::str::from_utf8(fields)) {
        toolforge_apiserver::fuzzing::selectors(labels, fields, json);
    }
});
