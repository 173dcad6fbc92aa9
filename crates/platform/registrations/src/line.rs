//! The original's registration protocol, read: a command, a route, and for `register` a destination, a line each (facts
//! 5.3). Pure.

use crate::limits::LINE_BYTES;

/// What a client of the lines asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// `register` or `registerCanonical`.
    Register {
        /// The pattern of paths.
        route: String,
        /// The URL to which they lead.
        destination: String,
        /// Whether the tool's URLs on shared hosts are to lead to its own.
        is_canonical: bool,
    },
    /// `unregister`.
    Unregister {
        /// The pattern of paths.
        route: String,
    },
    /// Anything else; its answer is `fail`.
    Unknown,
}

/// Reads what a client has sent so far; `None` when more must come. `is_all` says that no more will, so that the last line
/// needs no end, and those that are missing are empty, as in the original.
///
/// What is longer than a line may be, or not UTF-8, is unknown.
pub fn read(bytes: &[u8], is_all: bool) -> Option<Line> {
    let mut lines = Lines { rest: bytes, is_all };
    let command = match lines.next() {
        Next::Line(command) => command,
        Next::More => return None,
        Next::Bad => return Some(Line::Unknown),
    };
    let is_canonical = command == "registerCanonical";
    if !is_canonical && command != "register" && command != "unregister" {
        return Some(Line::Unknown);
    }
    let route = match lines.next() {
        Next::Line(route) => route.to_owned(),
        Next::More => return None,
        Next::Bad => return Some(Line::Unknown),
    };
    if command == "unregister" {
        return Some(Line::Unregister { route });
    }
    match lines.next() {
        Next::Line(destination) => Some(Line::Register {
            route,
            destination: destination.to_owned(),
            is_canonical,
        }),
        Next::More => None,
        Next::Bad => Some(Line::Unknown),
    }
}

struct Lines<'a> {
    rest: &'a [u8],
    is_all: bool,
}

enum Next<'a> {
    Line(&'a str),
    More,
    Bad,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Next<'a> {
        let end = self
            .rest
            .iter()
            .take(LINE_BYTES + 1)
            .position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None if self.rest.len() > LINE_BYTES => return Next::Bad,
            None if self.is_all => (self.rest, &self.rest[self.rest.len()..]),
            None => return Next::More,
        };
        self.rest = rest;
        match std::str::from_utf8(line) {
            Ok(line) => {
                Next::Line(line.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\x0b'))
            }
            Err(_) => Next::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LINE_BYTES, Line, read};

    fn register(is_canonical: bool) -> Line {
        Line::Register {
            route: ".*".into(),
            destination: "http://10.0.0.1:4000".into(),
            is_canonical,
        }
    }

    #[test]
    fn commands_are_read_as_the_original_reads_them() {
        let unregister = |route: &str| Some(Line::Unregister { route: route.into() });
        let unknown = Some(Line::Unknown);
        for (text, expected) in [
            ("register\n.*\nhttp://10.0.0.1:4000\n", Some(register(false))),
            (
                "registerCanonical\n.*\nhttp://10.0.0.1:4000\n",
                Some(register(true)),
            ),
            (
                "register\r\n .* \r\n\thttp://10.0.0.1:4000 \r\nmore",
                Some(register(false)),
            ),
            ("unregister\n.*\n", unregister(".*")),
            ("unregister\n\n", unregister("")),
            ("Register\n", unknown.clone()),
            ("\n", unknown.clone()),
            ("list\n", unknown),
            ("", None),
            ("register", None),
            ("register\n", None),
            ("register\n.*\n", None),
            ("register\n.*\nhttp://10.0.0.1:4000", None),
            ("unregister\n.*", None),
        ] {
            assert_eq!(read(text.as_bytes(), false), expected, "{text:?}");
        }
    }

    #[test]
    fn at_the_end_what_is_missing_is_empty() {
        assert_eq!(
            read(b"register\n.*\nhttp://10.0.0.1:4000", true),
            Some(register(false))
        );
        assert_eq!(
            read(b"unregister", true),
            Some(Line::Unregister { route: String::new() })
        );
        assert_eq!(read(b"", true), Some(Line::Unknown));
        let Some(Line::Register { destination, .. }) = read(b"register\n.*", true) else {
            panic!("it is a registration");
        };
        assert_eq!(destination, "");
    }

    #[test]
    fn what_is_too_long_or_no_text_is_unknown() {
        let long = "x".repeat(LINE_BYTES + 1);
        for bytes in [
            long.as_bytes(),
            format!("register\n{long}").as_bytes(),
            format!("register\n.*\n{long}").as_bytes(),
            b"\xff\xfe\n",
            b"register\n\xff\n",
            b"unregister\n\xc3\n",
        ] {
            assert_eq!(read(bytes, false), Some(Line::Unknown));
        }
        let longest = "x".repeat(LINE_BYTES);
        assert_eq!(read(longest.as_bytes(), false), None);
        let text = format!("unregister\n{longest}\n");
        assert_eq!(
            read(text.as_bytes(), false),
            Some(Line::Unregister { route: longest })
        );
    }

    proptest! {
        /// However the bytes come, the same is read: what was read of a beginning is not read otherwise later.
        #[test]
        fn what_is_read_stays(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0_usize..80) {
            let cut = cut.min(bytes.len());
            if let Some(early) = read(&bytes[..cut], false) {
                prop_assert_eq!(read(&bytes, false), Some(early));
            }
            prop_assert!(read(&bytes, true).is_some());
        }
    }
}
