//! The access log: one line for each request, or for a share of them, in the format of the original or in JSON.
//!
//! Whoever answers makes the line; a thread of the log's own writes it, so that no request waits for a disk. When the disk
//! does not keep up lines are dropped, and counted. The file is opened again when it was moved away.

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write as _},
    net::{IpAddr, SocketAddr},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use http::Version;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The most lines that wait for the disk: a second's worth of a busy platform, some megabytes.
const WAITING_LINES: usize = 16 * 1024;
/// How long lines may wait to be written, and how often it is looked whether the file was moved away.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// What the lines look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// As the front proxy of the original wrote them (facts 5.2).
    #[default]
    Original,
    /// One JSON object in each line.
    Json,
}

/// What is written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogRule {
    pub(crate) file: PathBuf,
    pub(crate) format: LogFormat,
    /// How many of a hundred requests are written.
    pub(crate) percent: u8,
}

/// A log that is written.
#[derive(Debug)]
pub(crate) struct AccessLog {
    rule: LogRule,
    lines: SyncSender<Vec<u8>>,
    dropped: AtomicU64,
}

/// What a line says.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) host: &'a str,
    pub(crate) visitor: IpAddr,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) version: Version,
    pub(crate) status: u16,
    pub(crate) sent_bytes: u64,
    pub(crate) referer: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) request_id: &'a str,
    /// Empty where the request belongs to no tool.
    pub(crate) namespace: &'a str,
    pub(crate) endpoint: Option<SocketAddr>,
    pub(crate) time_to_head: Duration,
    pub(crate) time: Duration,
}

impl AccessLog {
    /// Opens the log; its thread ends with the last that holds it.
    ///
    /// # Errors
    /// When the file cannot be opened for appending.
    pub(crate) fn open(rule: LogRule) -> io::Result<Arc<Self>> {
        let file = open(&rule.file)?;
        let (lines, waiting) = sync_channel(WAITING_LINES);
        let path = rule.file.clone();
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_lines(&path, file, &waiting))?;
        Ok(Arc::new(Self {
            rule,
            lines,
            dropped: AtomicU64::new(0),
        }))
    }

    /// Whether it is written as this rule says.
    pub(crate) fn goes_by(&self, rule: &LogRule) -> bool {
        self.rule == *rule
    }

    /// Whether this request is one of those that are written.
    pub(crate) fn wants_this(&self) -> bool {
        self.rule.percent >= 100 || rand::random_range(0..100) < self.rule.percent
    }

    /// Writes a line, or drops it when too many wait.
    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let line = match self.rule.format {
            LogFormat::Original => entry.original(Timestamp::now()),
            LogFormat::Json => entry.json(Timestamp::now()),
        };
        if self.lines.try_send(line.into_bytes()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Entry<'_> {
    /// `$host $remote_addr - $remote_user [time] "request" status bytes "referer" "ua" (backend <addr>)`.
    fn original(&self, now: Timestamp) -> String {
        let mut line = String::with_capacity(256);
        let now = now.to_zoned(TimeZone::UTC);
        let time = now.strftime("%d/%b/%Y:%H:%M:%S %z");
        // Strings take whatever is written.
        let _ = write!(
            line,
            "{} {} - - [{time}] \"{} ",
            Escaped(self.host),
            self.visitor,
            self.method
        );
        let _ = write!(
            line,
            "{} {:?}\" {} {} ",
            Escaped(self.target),
            self.version,
            self.status,
            self.sent_bytes
        );
        let dash = |text: &str| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                Escaped(text).to_string()
            }
        };
        let _ = write!(
            line,
            "\"{}\" \"{}\" (backend ",
            dash(self.referer),
            dash(self.user_agent)
        );
        let _ = match self.endpoint {
            Some(endpoint) => writeln!(line, "{endpoint})"),
            None => writeln!(line, "-)"),
        };
        line
    }

    fn json(&self, now: Timestamp) -> String {
        let line = serde_json::json!({
            "time": now.to_string(),
            "host": self.host,
            "visitor": self.visitor,
            "method": self.method,
            "target": self.target,
            "protocol": format!("{:?}", self.version),
            "status": self.status,
            "sentBytes": self.sent_bytes,
            "referer": self.referer,
            "userAgent": self.user_agent,
            "requestId": self.request_id,
            "namespace": self.namespace,
            "endpoint": self.endpoint,
            "secondsToHead": self.time_to_head.as_secs_f64(),
            "seconds": self.time.as_secs_f64(),
        });
        format!("{line}\n")
    }
}

/// Text between quotes: nobody ends them, or the line, from outside.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(formatter, "\\x{:02X}", u32::from(character))?,
                character if character.is_control() => write!(formatter, "\\x{:02X}", u32::from(character))?,
                character => formatter.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Visitors' addresses are nobody else's business than the owner's.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

fn write_lines(path: &Path, file: File, waiting: &Receiver<Vec<u8>>) {
    let mut file = BufWriter::new(file);
    let mut flushed = Instant::now();
    // A disk that is full fails for every line, and is told of once in each interval.
    let mut outcome = Ok(());
    loop {
        let line = waiting.recv_timeout(FLUSH_INTERVAL);
        if matches!(line, Err(RecvTimeoutError::Disconnected)) {
            return report(path, outcome.and(file.flush()));
        }
        if let Ok(line) = line {
            outcome = outcome.and(file.write_all(&line));
        }
        if flushed.elapsed() < FLUSH_INTERVAL {
            continue;
        }
        flushed = Instant::now();
        report(path, std::mem::replace(&mut outcome, Ok(())).and(file.flush()));
        if was_moved(path, file.get_ref()) {
            match open(path) {
                Ok(new) => file = BufWriter::new(new),
                Err(error) => report(path, Err(error)),
            }
        }
    }
}

fn was_moved(path: &Path, file: &File) -> bool {
    let (Ok(there), Ok(ours)) = (path.metadata(), file.metadata()) else {
        return true;
    };
    (there.dev(), there.ino()) != (ours.dev(), ours.ino())
}

fn report(path: &Path, outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(file = %path.display(), %error, "the access log cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

    use http::Version;

    use super::{AccessLog, Entry, LogFormat, LogRule};

    fn entry() -> Entry<'static> {
        Entry {
            host: "a.example.org",
            visitor: [192, 0, 2, 1].into(),
            method: "GET",
            target: "/x?y=\"z",
            version: Version::HTTP_11,
            status: 200,
            sent_bytes: 12,
            referer: "",
            user_agent: "curl\\\n\"",
            request_id: "1",
            namespace: "tool-a",
            endpoint: Some(([10, 0, 0, 1], 8000).into()),
            time_to_head: Duration::from_millis(5),
            time: Duration::from_millis(7),
        }
    }

    #[test]
    fn lines_are_those_of_the_original_and_nobody_ends_one_from_outside() {
        let now = "2026-07-01T12:00:00Z".parse().unwrap();
        assert_eq!(
            entry().original(now),
            "a.example.org 192.0.2.1 - - [01/Jul/2026:12:00:00 +0000] \"GET /x?y=\\x22z HTTP/1.1\" 200 12 \"-\" \
             \"curl\\x5C\\x0A\\x22\" (backend 10.0.0.1:8000)\n"
        );
        let json: serde_json::Value = serde_json::from_str(&entry().json(now)).unwrap();
        assert_eq!(
            (&json["userAgent"], &json["namespace"]),
            (&"curl\\\n\"".into(), &"tool-a".into())
        );
        assert_eq!(entry().json(now).lines().count(), 1);
    }

    #[test]
    fn as_many_of_a_hundred_are_wanted_as_the_rule_says() {
        let folder = tempfile::tempdir().unwrap();
        for (percent, expected) in [(100, 10_000..=10_000), (50, 4500..=5500), (1, 40..=200)] {
            let log = AccessLog::open(LogRule {
                file: folder.path().join("access.log"),
                format: LogFormat::Original,
                percent,
            });
            let log = log.unwrap();
            let wanted = (0..10_000).filter(|_| log.wants_this()).count();
            assert!(expected.contains(&wanted), "{percent}: {wanted}");
        }
    }

    #[test]
    fn log_that_was_moved_away_is_begun_anew_and_is_the_owners() {
        let folder = tempfile::tempdir().unwrap();
        let rule = LogRule {
            file: folder.path().join("access.log"),
            format: LogFormat::Original,
            percent: 100,
        };
        let log = AccessLog::open(rule.clone()).unwrap();
        log.write(&entry());
        let lines = |path: &PathBuf| fs::read_to_string(path).unwrap_or_default().lines().count();
        eventually(|| lines(&rule.file) == 1);
        assert_eq!(
            fs::metadata(&rule.file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let moved = folder.path().join("access.log.1");
        fs::rename(&rule.file, &moved).unwrap();
        eventually(|| rule.file.exists());
        log.write(&entry());
        eventually(|| lines(&rule.file) == 1);
        assert_eq!((lines(&moved), log.dropped()), (1, 0));
    }

    fn eventually(condition: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + Duration::from_mins(1);
        while !condition() {
            assert!(std::time::Instant::now() < deadline, "it did not happen in time");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
