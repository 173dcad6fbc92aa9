//! What somebody wants to see of a log: kubelet's query parameters, and the choice of lines. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::line::{self, Line};

/// The parameters as they come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Query {
    #[serde(default)]
    pub(crate) follow: bool,
    #[serde(default)]
    pub(crate) previous: bool,
    #[serde(default)]
    pub(crate) timestamps: bool,
    pub(crate) tail_lines: Option<u64>,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) since_seconds: Option<i64>,
    pub(crate) since_time: Option<Timestamp>,
}

/// Chooses lines and puts them as the reader wants them.
#[derive(Debug)]
pub(super) struct Printer {
    since: Option<String>,
    timestamps: bool,
    room: u64,
    in_line: bool,
}

impl Query {
    /// The earliest time wanted, as it stands in log files.
    pub(super) fn since(&self, now: Timestamp) -> Option<String> {
        let seconds = self.since_seconds.map(SignedDuration::from_secs);
        let by_seconds = seconds.and_then(|seconds| now.checked_sub(seconds).ok());
        self.since_time
            .into_iter()
            .chain(by_seconds)
            .max()
            .map(line::stamp)
    }

    pub(super) fn printer(&self, now: Timestamp) -> Printer {
        Printer {
            since: self.since(now),
            timestamps: self.timestamps,
            room: self.limit_bytes.unwrap_or(u64::MAX),
            in_line: false,
        }
    }
}

impl Printer {
    /// Whether the limit has been reached.
    pub(super) fn is_full(&self) -> bool {
        self.room == 0
    }

    /// Whether a line is late enough.
    pub(super) fn wants(&self, line: &Line<'_>) -> bool {
        // All times have one width, so text compares as time does.
        self.since.as_deref().is_none_or(|since| line.time >= since)
    }

    /// Appends a line of a log file, given without its end.
    pub(super) fn print(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        let Some(line) = line::read(raw).filter(|line| self.wants(line)) else {
            return;
        };
        let before = out.len();
        if self.timestamps && !self.in_line {
            out.extend(line.time.as_bytes());
            out.push(b' ');
        }
        out.extend(line.message);
        if !line.partial {
            out.push(b'\n');
        }
        self.in_line = line.partial;
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        out.truncate(out.len().min(before.saturating_add(room)));
        self.room -= u64::try_from(out.len() - before).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&[u8]; 4] = [
        b"2026-01-02T03:04:05.000000000Z stdout F one",
        b"2026-01-02T03:04:06.000000000Z stdout P tw",
        b"2026-01-02T03:04:06.000000000Z stdout F o",
        b"2026-01-02T03:04:07.000000000Z stderr F three",
    ];

    fn printed(query: &Query) -> String {
        let mut printer = query.printer("2026-01-02T03:04:08Z".parse().expect("time"));
        let mut out = Vec::new();
        for line in LINES {
            printer.print(line, &mut out);
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn parts_of_a_line_become_one() {
        assert_eq!(printed(&Query::default()), "one\ntwo\nthree\n");
    }

    #[test]
    fn times_stand_before_lines_but_not_inside() {
        let text = printed(&Query {
            timestamps: true,
            since_seconds: Some(2),
            ..Query::default()
        });
        assert_eq!(
            text,
            "2026-01-02T03:04:06.000000000Z two\n2026-01-02T03:04:07.000000000Z three\n"
        );
    }

    #[test]
    fn bytes_beyond_the_limit_are_cut() {
        assert_eq!(
            printed(&Query {
                limit_bytes: Some(6),
                ..Query::default()
            }),
            "one\ntw"
        );
    }

    #[test]
    fn the_later_beginning_wins() {
        let since_time = Some("2026-01-02T03:04:07Z".parse().expect("time"));
        assert_eq!(
            printed(&Query {
                since_time,
                since_seconds: Some(60),
                ..Query::default()
            }),
            "three\n"
        );
    }
}
