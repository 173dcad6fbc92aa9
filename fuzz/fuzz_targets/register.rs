//! The lines over which webservices register, what ident says of whose they are, and where they want to lead. The first
//! byte says where the bytes are cut, as a network may.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolforge_registrations::{Claim, Line, Names, read_destination, read_ident_reply, read_line};

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else {
        return;
    };
    let early = &bytes[..usize::from(*cut).min(bytes.len())];
    if let Some(line) = read_line(early, false) {
        assert_eq!(read_line(bytes, false), Some(line));
    }
    let line = read_line(bytes, true).expect("at the end something is read");
    if let Line::Register { route, destination, .. } = &line {
        if let Ok(address) = read_destination(destination) {
            assert_eq!(read_destination(&format!("http://{address}")), Ok(address));
        }
        path(route, destination);
        Claim::pattern(route).ok();
    }
    if let Some(user) = read_ident_reply(bytes, 6193, 8282) {
        assert!(!user.is_empty() && !user.contains([':', '\n']));
    }
});

/// A path that is taken is one of the tool's own.
fn path(host: &str, path: &str) {
    let names = Names {
        domains: vec!["toolforge.org".parse().unwrap()],
        shared: vec!["tools.wmflabs.org".parse().unwrap()],
    };
    let tool = "alpha".parse().unwrap();
    let Ok(Claim::Path { host, path }) = Claim::path(&tool, &names, host, path) else {
        return;
    };
    assert!(path.starts_with('/'));
    match host.as_str() {
        "alpha.toolforge.org" => {}
        "tools.wmflabs.org" => assert!(path == "/alpha" || path.starts_with("/alpha/")),
        other => panic!("{other} is not the tool's"),
    }
}
