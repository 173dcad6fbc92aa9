//! Method, path and query of a request, with the selectors in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|target: &str| toolforge_apiserver::fuzzing::target(target));
