//! One line of a log file: written, and read again. Pure.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// Longest line that is written whole, in bytes; longer ones are cut into partial ones, as containerd does.
pub(super) const LINE_BYTES: usize = 16 << 10;
/// Nanoseconds always, so that times have one width and sort as text.
const TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

/// A line of a log file, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) time: &'a str,
    /// Whether the message goes on in the next line of the same stream.
    pub(super) partial: bool,
    pub(super) message: &'a [u8],
}

/// Appends one line.
pub(super) fn write(out: &mut Vec<u8>, time: Timestamp, error: bool, partial: bool, message: &[u8]) {
    out.extend(stamp(time).as_bytes());
    out.extend(if error {
        b" stderr ".as_slice()
    } else {
        b" stdout "
    });
    out.extend(if partial { b"P " } else { b"F " });
    out.extend(message);
    out.push(b'\n');
}

/// A time as log files have it.
pub(super) fn stamp(time: Timestamp) -> String {
    TIME.timestamp_to_string(&time)
}

/// Takes a line (without its end) apart; none when it is damaged.
pub(super) fn read(line: &[u8]) -> Option<Line<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let _stream = parts.next()?;
    let partial = match parts.next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    Some(Line {
        time,
        partial,
        message: parts.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_look_as_other_readers_expect() {
        let mut out = Vec::new();
        let time: Timestamp = "2026-01-02T03:04:05.6Z".parse().expect("time");
        write(&mut out, time, false, false, b"hello world");
        assert_eq!(out, b"2026-01-02T03:04:05.600000000Z stdout F hello world\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(message in "[^\n]*", error: bool, partial: bool, nanos in 0i64..4_000_000_000_000_000_000) {
            let mut out = Vec::new();
            let time = Timestamp::from_nanosecond(i128::from(nanos)).expect("time");
            write(&mut out, time, error, partial, message.as_bytes());
            let line = read(&out[..out.len() - 1]).expect("line");
            prop_assert_eq!(line.message, message.as_bytes());
            prop_assert_eq!(line.partial, partial);
            prop_assert_eq!(line.time.parse::<Timestamp>().expect("time"), time);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            read(&bytes);
        }
    }
}
