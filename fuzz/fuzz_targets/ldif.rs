//! An LDIF file, as an operator hands it to `up --ldif`; and names of entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolforge_directory::{Dn, ldif};

fuzz_target!(|data: &[u8]| {
    ldif::read(data).ok();
    if let Ok(text) = std::str::from_utf8(data) {
        Dn::parse(text).ok();
    }
});
