//! Reads a file of frames from its start, trusting nothing.
//!
//! Memory is bounded by the file's own length, whatever its bytes say.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::super::object::exactly;
use super::frame::{HEAD_BYTES, Head, MAGIC, TAIL_BYTES};
use super::header::{FileKind, HEADER_BYTES, Header, HeaderError};
use super::problem::DiskError;
use super::record::Record;
use super::vault::{KeyError, Vault};

/// Read ahead in bytes.
const BUFFER_BYTES: usize = 256 << 10;

/// A file that is being read.
pub(crate) struct Scanner {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    /// Where the next frame begins.
    pub(crate) offset: u64,
    /// Of the whole file.
    pub(crate) length: u64,
    /// The checksum of the last frame.
    pub(crate) chain: u64,
    reader: BufReader<File>,
}

/// A whole frame.
pub(crate) struct Frame {
    pub(crate) head: Head,
    pub(crate) payload: Vec<u8>,
    /// Where it began.
    pub(crate) offset: u64,
}

/// Why there is no next frame.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The operating system's report.
    Io(io::Error),
    /// The bytes are no frame.
    Bad(&'static str),
}

impl Scanner {
    /// Opens a file and checks its header.
    pub(crate) fn open(path: &Path, kind: FileKind, vault: &Vault, keys: &Path) -> Result<Self, DiskError> {
        let scanner = Self::open_any(path, kind)?;
        if !vault.holds(scanner.header.key) {
            return Err(KeyError::Wrong {
                file: path.to_owned(),
                wanted: scanner.header.key.to_string(),
                path: keys.to_owned(),
            }
            .into());
        }
        Ok(scanner)
    }

    /// As [`Scanner::open`], whatever its key.
    pub(crate) fn open_any(path: &Path, kind: FileKind) -> Result<Self, DiskError> {
        let failed = |problem| DiskError::io("read", path)(problem);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut bytes = [0; HEADER_BYTES];
        if length < bytes.len() as u64 {
            return Err(DiskError::damaged(path, length, "it ends within its header"));
        }
        reader.read_exact(&mut bytes).map_err(failed)?;
        let header = match Header::read(&bytes) {
            Ok(header) if header.kind == kind => header,
            Ok(_) => return Err(DiskError::damaged(path, 8, "it is another kind of file")),
            Err(HeaderError::OtherLayout) => {
                return Err(DiskError::Format {
                    path: path.to_owned(),
                });
            }
            Err(HeaderError::Damaged) => return Err(DiskError::damaged(path, 0, "its header is changed")),
        };
        Ok(Self {
            path: path.to_owned(),
            header,
            offset: HEADER_BYTES as u64,
            length,
            chain: header.chain,
            reader,
        })
    }

    /// The next frame; `None` at the end of the file. After a fault `offset` is where the bad frame begins.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Fault> {
        let left = self.length - self.offset;
        if left == 0 {
            return Ok(None);
        }
        let mut bytes = [0; HEAD_BYTES];
        if left < (HEAD_BYTES + TAIL_BYTES) as u64 {
            return Err(Fault::Bad("a record is cut off"));
        }
        self.reader.read_exact(&mut bytes).map_err(Fault::Io)?;
        let head = Head::read(&bytes).ok_or(Fault::Bad("a record does not begin as it should"))?;
        if head.chain != self.chain {
            return Err(Fault::Bad("a record does not follow the one before it"));
        }
        let whole = u64::from(head.length) + (HEAD_BYTES + TAIL_BYTES) as u64;
        if left < whole {
            return Err(Fault::Bad("a record is cut off"));
        }
        let mut payload = vec![0; head.length as usize];
        self.reader.read_exact(&mut payload).map_err(Fault::Io)?;
        let mut tail = [0; TAIL_BYTES];
        self.reader.read_exact(&mut tail).map_err(Fault::Io)?;
        let sum = head.checksum(&payload);
        if tail != sum.to_be_bytes() {
            return Err(Fault::Bad("the checksum of a record is wrong"));
        }
        let offset = self.offset;
        self.offset += whole;
        self.chain = sum;
        Ok(Some(Frame {
            head,
            payload,
            offset,
        }))
    }

    /// What a fault at this place means when there is no excuse for it.
    pub(crate) fn damage(&self, fault: Fault) -> DiskError {
        match fault {
            Fault::Io(problem) => DiskError::io("read", &self.path)(problem),
            Fault::Bad(what) => DiskError::damaged(&self.path, self.offset, what),
        }
    }

    /// Shows each record of a frame, decrypted.
    pub(crate) fn records(
        &self,
        frame: &Frame,
        vault: &Vault,
        mut show: impl FnMut(&Record<'_>, Bytes) -> Result<(), &'static str>,
    ) -> Result<(), DiskError> {
        let damaged = |what| DiskError::damaged(&self.path, frame.offset, what);
        let mut payload = frame.payload.as_slice();
        for _ in 0..frame.head.count {
            let record = Record::take(&mut payload).ok_or_else(|| damaged("a record has an unknown form"))?;
            let json = if record.sealed {
                vault
                    .open(self.header.key, record.key, record.revision, record.body)
                    .map(exactly)
                    .map_err(|_| damaged("a sealed value was changed or moved"))?
            } else {
                Bytes::copy_from_slice(record.body)
            };
            show(&record, json).map_err(damaged)?;
        }
        if payload.is_empty() {
            Ok(())
        } else {
            Err(damaged("there is more in a record than it says"))
        }
    }

    /// Whether a whole head of a frame stands anywhere behind the bad one: then that was no torn last write.
    pub(crate) fn has_later_frame(&mut self) -> io::Result<bool> {
        let mut rest = Vec::new();
        self.reader.seek(SeekFrom::Start(self.offset + 1))?;
        self.reader.read_to_end(&mut rest)?;
        Ok(rest
            .windows(HEAD_BYTES)
            .filter(|bytes| bytes.starts_with(&MAGIC))
            .any(|bytes| bytes.first_chunk().and_then(Head::read).is_some()))
    }
}
