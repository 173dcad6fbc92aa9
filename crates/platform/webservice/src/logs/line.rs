//! One line of a log as the API gives it: `TIME MESSAGE`.

use jiff::Timestamp;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// The time in front of it; none when there is none to be read.
    pub(crate) time: Option<Timestamp>,
    /// As the API wrote it.
    pub(crate) stamp: String,
    /// Programs may write anything, also what is no text.
    pub(crate) message: Vec<u8>,
}

impl Line {
    /// From a line without its end.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let space = bytes.iter().position(|byte| *byte == b' ');
        let (stamp, message) = match space {
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
            None => (bytes, &[][..]),
        };
        let stamp = String::from_utf8_lossy(stamp).into_owned();
        match stamp.parse() {
            Ok(time) => Self {
                time: Some(time),
                stamp,
                message: message.to_vec(),
            },
            Err(_) => Self {
                time: None,
                stamp: String::new(),
                message: bytes.to_vec(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_in_front() {
        for (bytes, time, message) in [
            (&b"2026-01-02T03:04:05.6Z a b"[..], true, &b"a b"[..]),
            (b"2026-01-02T03:04:05.123456789+01:00 \xff", true, b"\xff"),
            (b"2026-01-02T03:04:05Z ", true, b""),
            (b"2026-01-02T03:04:05Z", true, b""),
            (b"unable to retrieve", false, b"unable to retrieve"),
            (b"", false, b""),
        ] {
            let line = Line::of(bytes);
            assert_eq!(
                (line.time.is_some(), line.message.as_slice()),
                (time, message),
                "{bytes:?}"
            );
        }
    }
}
