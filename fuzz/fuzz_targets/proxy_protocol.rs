//! The header that a proxy writes before the bytes of a connection.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolforge_proxy_protocol::{Header, LIMIT_BYTES, read, write_v1, write_v2};

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((header, length))) = read(bytes) else {
        return;
    };
    assert!(length <= bytes.len() && length <= LIMIT_BYTES);
    assert_eq!(read(&bytes[..length]), Ok(Some((header, length))));
    for end in 0..length {
        assert_eq!(read(&bytes[..end]), Ok(None));
    }
    if let Header::Proxied(_) = header {
        for written in [write_v1(&header), write_v2(&header)] {
            assert_eq!(read(&written), Ok(Some((header, written.len()))));
        }
    }
});
