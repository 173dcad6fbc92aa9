//! What a client sends to the directory, searches answered.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use toolforge_directory::fuzzing::{Served, messages};

const LDIF: &str = "dn: ou=people,dc=a\nobjectClass: organizationalUnit\nou: people\n\n\
    dn: uid=b,ou=people,dc=a\nobjectClass: posixAccount\nuid: b\ncn: b\nuidNumber: 1\ngidNumber: 1\n\
    homeDirectory: /b\nuserPassword: c\n";

static SERVED: LazyLock<Served> =
    LazyLock::new(|| Served::new("dc=a", LDIF.as_bytes()).expect("the text is right"));

fuzz_target!(|data: &[u8]| {
    messages(&SERVED, data);
});
