//! A search filter and the LDIF of the entries that it is tried on, separated by a zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (filter, entries) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if let Ok(filter) = std::str::from_utf8(filter) {
        toolforge_directory::fuzzing::filter(filter, entries);
    }
});
