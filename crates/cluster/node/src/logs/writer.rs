//! The log file of one start of a container: written line by line, cut off when it grows too long.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::line::{self, LINE_BYTES};
use crate::runtime::OutputSink;

/// How long a file may get before the next one is begun, in bytes. Two are kept.
const FILE_BYTES: u64 = 10 << 20;

/// How far a log has come; readers who follow it wait for changes of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// How many files were begun before the present one.
    pub(super) generation: u64,
    /// Bytes in the present one.
    pub(super) bytes: u64,
    /// Nothing more will come.
    pub(super) closed: bool,
}

/// Writes one log.
#[derive(Debug)]
pub(super) struct LogWriter {
    path: PathBuf,
    limit: u64,
    inner: Mutex<Inner>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// What came after the last line end, of standard output and standard error.
    rest: [Vec<u8>; 2],
    complained: bool,
}

impl LogWriter {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, FILE_BYTES)
    }

    pub(super) fn with_limit(path: &Path, limit: u64) -> io::Result<Self> {
        let file = open(path)?;
        let bytes = file.metadata()?.len();
        let (progress, _) = watch::channel(Progress {
            bytes,
            ..Progress::default()
        });
        let inner = Mutex::new(Inner {
            file,
            rest: [Vec::new(), Vec::new()],
            complained: false,
        });
        Ok(Self {
            path: path.to_owned(),
            limit,
            inner,
            progress,
        })
    }

    /// Follows the log's progress.
    pub(super) fn subscribe(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn append(&self, inner: &mut Inner, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        if let Err(error) = self.try_append(inner, lines) {
            // A full disk must not stop the container; its output is lost, and once is enough to say so.
            if !inner.complained {
                inner.complained = true;
                tracing::warn!(file = %self.path.display(), %error, "the output of a container cannot be kept");
            }
        }
    }

    fn try_append(&self, inner: &mut Inner, lines: &[u8]) -> io::Result<()> {
        if self.progress.borrow().bytes >= self.limit {
            fs::rename(&self.path, older(&self.path))?;
            inner.file = open(&self.path)?;
            self.progress.send_modify(|progress| {
                progress.generation += 1;
                progress.bytes = 0;
            });
        }
        inner.file.write_all(lines)?;
        let count = u64::try_from(lines.len()).unwrap_or_default();
        self.progress.send_modify(|progress| progress.bytes += count);
        Ok(())
    }
}

impl OutputSink for LogWriter {
    fn write(&self, error: bool, bytes: &[u8]) {
        let now = Timestamp::now();
        let mut inner = self.inner.lock();
        let mut rest = std::mem::take(&mut inner.rest[usize::from(error)]);
        rest.extend(bytes);
        let mut lines = Vec::with_capacity(rest.len() + 64);
        let done = split(&rest, |message, partial| {
            line::write(&mut lines, now, error, partial, message);
        });
        rest.drain(..done);
        inner.rest[usize::from(error)] = rest;
        self.append(&mut inner, &lines);
    }

    fn close(&self) {
        let now = Timestamp::now();
        let mut inner = self.inner.lock();
        let mut lines = Vec::new();
        for error in [false, true] {
            let rest = std::mem::take(&mut inner.rest[usize::from(error)]);
            if !rest.is_empty() {
                line::write(&mut lines, now, error, false, &rest);
            }
        }
        self.append(&mut inner, &lines);
        self.progress.send_modify(|progress| progress.closed = true);
    }
}

/// Cuts text into lines, and lines that are too long into parts. Returns how many bytes that took; what remains is
/// the beginning of a line.
fn split(text: &[u8], mut each: impl FnMut(&[u8], bool)) -> usize {
    let mut done = 0;
    loop {
        let open = &text[done..];
        let head = &open[..open.len().min(LINE_BYTES + 1)];
        if let Some(end) = head.iter().position(|byte| *byte == b'\n') {
            each(&open[..end], false);
            done += end + 1;
        } else if open.len() > LINE_BYTES {
            each(&open[..LINE_BYTES], true);
            done += LINE_BYTES;
        } else {
            return done;
        }
    }
}

/// Where the file before the present one lies.
pub(super) fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// Output may hold secrets: nobody but the node reads the file.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &[u8]) -> (Vec<(usize, bool)>, usize) {
        let mut all = Vec::new();
        let done = split(text, |message, partial| all.push((message.len(), partial)));
        (all, done)
    }

    #[test]
    fn lines_are_cut_at_their_ends_and_at_sixteen_kibibytes() {
        assert_eq!(pieces(b"ab\n\nc"), (vec![(2, false), (0, false)], 4));
        assert_eq!(pieces(&vec![b'x'; LINE_BYTES]), (vec![], 0));
        assert_eq!(
            pieces(&vec![b'x'; LINE_BYTES + 1]),
            (vec![(LINE_BYTES, true)], LINE_BYTES)
        );
        let mut exact = vec![b'x'; LINE_BYTES];
        exact.push(b'\n');
        assert_eq!(pieces(&exact), (vec![(LINE_BYTES, false)], LINE_BYTES + 1));
    }

    #[test]
    fn a_last_line_without_an_end_is_written_at_the_close() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("0.log");
        let log = LogWriter::create(&path).expect("log");
        log.write(false, b"one\ntw");
        log.write(true, b"oops");
        log.write(false, b"o");
        log.close();
        let text = fs::read_to_string(&path).expect("text");
        let messages: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once('Z').map(|(_, rest)| rest))
            .collect();
        assert_eq!(messages, [" stdout F one", " stdout F two", " stderr F oops"]);
        assert!(log.progress.borrow().closed);
    }

    #[test]
    fn old_output_makes_room_for_new() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("0.log");
        let log = LogWriter::with_limit(&path, 100).expect("log");
        for number in 0..20 {
            log.write(false, format!("line {number}\n").as_bytes());
        }
        let (new, old) = (
            fs::read_to_string(&path).expect("new"),
            fs::read_to_string(older(&path)).expect("old"),
        );
        assert!(new.ends_with("line 19\n"), "{new}");
        assert!(old.len() < 200 && new.len() < 200);
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 2);
    }
}
