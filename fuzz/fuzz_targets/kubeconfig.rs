//! A kubeconfig in a home, as its owner wrote it, with our entries merged into it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        toolforge_accounts::fuzzing::kubeconfig(text);
    }
});
