//! A client's side of a WebSocket with channels.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| toolforge_streams::fuzzing::websocket(data));
