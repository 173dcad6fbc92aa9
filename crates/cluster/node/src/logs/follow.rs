//! Reads a log into a channel: what is there, then, when asked for, what comes, without ever polling.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::Path,
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    query::{Printer, Query},
    store::LogFile,
    writer::older,
};

/// How much is sent at once, in bytes.
const CHUNK_BYTES: usize = 32 << 10;

/// Sends the log to `out` until its end, the reader's end, or the limit.
pub(crate) async fn follow(log: LogFile, query: Query, out: mpsc::Sender<io::Result<Bytes>>) {
    if let Err(error) = send_all(log, &query, &out).await {
        // Nobody to tell when the reader went away.
        let _ = out.send(Err(error)).await;
    }
}

async fn send_all(log: LogFile, query: &Query, out: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let LogFile { path, progress } = log;
    let mut progress = progress.filter(|_| query.follow);
    // Seen before reading: whatever changes during it wakes us again.
    let mut seen = progress.as_mut().map(|progress| *progress.borrow_and_update());
    let (first, tail) = (query.clone(), path.clone());
    let mut reader = blocking(move || Reader::open(&tail, &first)).await?;
    loop {
        reader = drain(reader, out).await?;
        if reader.printer.is_full() || out.is_closed() {
            return Ok(());
        }
        let (Some(progress), Some(known)) = (&mut progress, &mut seen) else {
            return Ok(());
        };
        if known.closed {
            return Ok(());
        }
        tokio::select! {
            () = out.closed() => return Ok(()),
            changed = progress.changed() => if changed.is_err() { known.closed = true; continue },
        }
        let next = *progress.borrow_and_update();
        if next.generation != known.generation {
            // The file at hand has been renamed: what it still holds first, then the one in between when we were
            // slow, then the new one.
            reader = drain(reader, out).await?;
            if next.generation > known.generation + 1 {
                reader.switch(&older(&path))?;
                reader = drain(reader, out).await?;
            }
            reader.switch(&path)?;
        }
        *known = next;
    }
}

/// Reads to the present end of the file and sends it.
async fn drain(mut reader: Reader, out: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<Reader> {
    loop {
        let (back, chunk) = blocking(move || {
            let chunk = reader.chunk();
            chunk.map(|chunk| (reader, chunk))
        })
        .await?;
        reader = back;
        if chunk.is_empty() {
            return Ok(reader);
        }
        if out.send(Ok(Bytes::from(chunk))).await.is_err() {
            return Ok(reader);
        }
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(io::Error::other)?
}

/// A place in a log file, and how its lines are printed.
#[derive(Debug)]
struct Reader {
    file: BufReader<Box<dyn Source>>,
    /// The beginning of a line whose end was not written yet.
    begun: Vec<u8>,
    printer: Printer,
}

trait Source: io::Read + Send + std::fmt::Debug {}
impl<T: io::Read + Send + std::fmt::Debug> Source for T {}

impl Reader {
    /// Stands where the reader wants to begin: both files, or their last lines.
    fn open(path: &Path, query: &Query) -> io::Result<Self> {
        let printer = query.printer(Timestamp::now());
        let newer = File::open(path)?;
        let source: Box<dyn Source> = match File::open(older(path)) {
            Ok(older) => Box::new(older.chain(newer)),
            Err(_) => Box::new(newer),
        };
        let mut reader = Self {
            file: BufReader::new(source),
            begun: Vec::new(),
            printer,
        };
        if let Some(count) = query.tail_lines {
            reader.skip_to_last(usize::try_from(count).unwrap_or(usize::MAX))?;
        }
        Ok(reader)
    }

    /// Reads everything and keeps the last lines to be read again, before what comes later.
    fn skip_to_last(&mut self, count: usize) -> io::Result<()> {
        let mut last: VecDeque<Vec<u8>> = VecDeque::new();
        while let Some(line) = self.next_line()? {
            // Parts of a long line count as lines, as in kubelet.
            let wanted = super::line::read(&line).is_some_and(|parsed| self.printer.wants(&parsed));
            if wanted {
                last.push_back(line);
            }
            while last.len() > count {
                last.pop_front();
            }
        }
        let mut text = Vec::new();
        for line in last {
            text.extend(line);
            text.push(b'\n');
        }
        text.append(&mut self.begun);
        let rest = std::mem::replace(&mut self.file, BufReader::new(Box::new(io::empty())));
        self.file = BufReader::new(Box::new(io::Cursor::new(text).chain(rest)));
        Ok(())
    }

    fn switch(&mut self, path: &Path) -> io::Result<()> {
        self.begun.clear();
        self.file = BufReader::new(Box::new(File::open(path)?));
        Ok(())
    }

    /// The next complete line, without its end.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.file.read_until(b'\n', &mut self.begun)?;
        if self.begun.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.begun.pop();
        Ok(Some(std::mem::take(&mut self.begun)))
    }

    /// Printed lines, as many as go into one message; empty at the present end.
    fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        while out.len() < CHUNK_BYTES && !self.printer.is_full() {
            let Some(line) = self.next_line()? else { break };
            self.printer.print(&line, &mut out);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
