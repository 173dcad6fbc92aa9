//! A client's side of a SPDY connection: frames, headers, streams and windows.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| toolforge_streams::fuzzing::spdy(data));
