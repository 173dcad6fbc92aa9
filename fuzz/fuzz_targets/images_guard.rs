//! Whatever the registry guard lets through, a runtime's parser finds in an allowed registry: a reference out of bytes that
//! choose among hostile fragments, or the bytes themselves as one.
#![no_main]

#[path = "../../crates/core/policy/tests/hostile/images.rs"]
mod images;
#[path = "../../crates/core/policy/tests/hostile/ingress.rs"]
#[expect(dead_code, reason = "only the choices out of bytes are needed here")]
mod ingress;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let image = images::image(&mut ingress::Choices::of(data));
    images::is_allowed_or_refused(&image);
    if let Ok(text) = std::str::from_utf8(data) {
        images::is_allowed_or_refused(text);
    }
});
