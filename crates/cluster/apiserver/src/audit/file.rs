//! The file of the log: lines in, by a thread of its own; renamed when it is large.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

/// Lines that wait for the disk; then requests wait, too.
const WAITING: usize = 4096;
/// The size in bytes at which the file is renamed and a new one begun.
const MAX_BYTES: u64 = 100 << 20;
/// Old files that are kept.
const KEPT: u32 = 10;

/// Where lines go.
#[derive(Debug)]
pub(super) struct Lines(mpsc::Sender<Vec<u8>>);

impl Lines {
    /// Opens the file and starts its writer, which ends when the lines do.
    pub(super) fn open(path: PathBuf) -> std::io::Result<Self> {
        let (sender, lines) = mpsc::channel(WAITING);
        let log = Log::open(path, MAX_BYTES)?;
        std::thread::Builder::new()
            .name("api-audit".to_owned())
            .spawn(move || write_all(log, lines))?;
        Ok(Self(sender))
    }

    /// Writes a line, and waits for room when the disk is slow.
    pub(super) async fn write(&self, line: Vec<u8>) {
        if self.0.send(line).await.is_err() {
            tracing::error!("the audit log has ended");
        }
    }

    /// Writes a line when there is room: for the end of streams, which cannot wait.
    pub(super) fn write_now(&self, line: Vec<u8>) {
        if self.0.try_send(line).is_err() {
            tracing::error!("a line of the audit log is lost: the disk is too slow");
        }
    }
}

fn write_all(mut log: Log, mut lines: mpsc::Receiver<Vec<u8>>) {
    let mut is_well = true;
    while let Some(line) = lines.blocking_recv() {
        let more = !lines.is_empty();
        let written = log
            .append(&line)
            .and_then(|()| if more { Ok(()) } else { log.file.flush() });
        if let Err(problem) = &written
            && is_well
        {
            tracing::error!(%problem, path = %log.path.display(), "the audit log cannot be written; lines are lost");
        }
        is_well = written.is_ok();
    }
}

struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    max_bytes: u64,
}

impl Log {
    fn open(path: PathBuf, max_bytes: u64) -> std::io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            file: BufWriter::new(file),
            path,
            max_bytes,
        })
    }

    fn append(&mut self, line: &[u8]) -> std::io::Result<()> {
        let length = line.len() as u64 + 1;
        if self.bytes > 0 && self.bytes + length > self.max_bytes {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.file.write_all(b"\n")?;
        self.bytes += length;
        Ok(())
    }

    fn rotate(&mut self) -> std::io::Result<()> {
        self.file.flush()?;
        for number in (1..KEPT).rev() {
            let from = numbered(&self.path, number);
            if from.exists() {
                std::fs::rename(from, numbered(&self.path, number + 1))?;
            }
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        *self = Self::open(self.path.clone(), self.max_bytes)?;
        Ok(())
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{number}"));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_large_file_is_renamed_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let mut log = Log::open(path.clone(), 10).unwrap();
        for number in 0..15 {
            log.append(format!("line {number:02}").as_bytes()).unwrap();
        }
        log.file.flush().unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&path), "line 14\n");
        assert_eq!(read(&numbered(&path, 1)), "line 13\n");
        assert_eq!(read(&numbered(&path, 10)), "line 04\n");
        assert!(!numbered(&path, 11).exists());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let mut again = Log::open(path.clone(), 100).unwrap();
        again.append(b"more").unwrap();
        again.file.flush().unwrap();
        assert_eq!(read(&path), "line 14\nmore\n");
    }
}
