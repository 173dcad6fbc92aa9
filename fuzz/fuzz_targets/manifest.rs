//! A file of objects, as a maintainer hands it to `check -f`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for manifest in toolforge_manifest::read(data).unwrap_or_default() {
        assert!(manifest.places.start().is_some());
    }
});
