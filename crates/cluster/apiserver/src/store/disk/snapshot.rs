//! Snapshots: all objects at one revision in a file that is whole or not there. Backups have the same form.

use std::path::Path;

use bytes::Bytes;

use super::super::event::Effect;
use super::frame::{FrameBuffer, FrameKind};
use super::header::Header;
use super::problem::DiskError;
use super::record::Draft;
use super::vault::Vault;
use super::volume::{Sink, Volume};

/// Bytes of records in a frame, about: what a reader holds at a time.
const FRAME_BYTES: usize = 256 << 10;
/// Bytes between two flushes, so that the last one does not hold up everybody else's.
const FLUSH_BYTES: u64 = 8 << 20;

/// An object as it goes into a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    /// Its key, encoded.
    pub(crate) key: &'a [u8],
    pub(crate) revision: u64,
    pub(crate) json: Bytes,
    pub(crate) sealed: bool,
}

/// Makes the frames of a snapshot, one by one.
pub(crate) struct Frames {
    buffer: FrameBuffer,
    chain: u64,
    count: u32,
    revision: u64,
}

impl Frames {
    /// For a file with this header.
    pub(crate) fn new(header: &Header) -> Self {
        Self {
            buffer: FrameBuffer::default(),
            chain: header.chain,
            count: 0,
            revision: header.base,
        }
    }

    /// Adds an object; gives a frame when one is full.
    pub(crate) fn add(&mut self, item: &Item<'_>, vault: &Vault) -> Option<Vec<u8>> {
        let draft = Draft {
            effect: Effect::Put,
            created: false,
            revision: item.revision,
            key: item.key,
            json: &item.json,
        };
        self.buffer.add(|bytes| draft.encode(item.sealed, vault, bytes));
        (self.buffer.len() >= FRAME_BYTES).then(|| self.flush())
    }

    /// The last frames.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let mut bytes = if self.buffer.count() == 0 {
            Vec::new()
        } else {
            self.flush()
        };
        self.buffer
            .seal(FrameKind::End, self.count, self.revision, self.chain);
        bytes.extend_from_slice(self.buffer.bytes());
        bytes
    }

    fn flush(&mut self) -> Vec<u8> {
        let count = self.buffer.count();
        self.count += count;
        self.chain = self
            .buffer
            .seal(FrameKind::Group, count, self.revision, self.chain);
        let bytes = self.buffer.bytes().to_vec();
        self.buffer.clear();
        bytes
    }
}

/// Writes a snapshot; gives its length, or `None` when `stop` said so on the way.
pub(crate) fn write<'a>(
    volume: &dyn Volume,
    path: &Path,
    header: &Header,
    items: impl Iterator<Item = Item<'a>>,
    vault: &Vault,
    stop: impl Fn() -> bool,
) -> Result<Option<u64>, DiskError> {
    let draft = path.with_extension("snapshot.tmp");
    let failed = |problem| DiskError::io("write", &draft)(problem);
    let mut writer = Writer {
        sink: volume.create(&draft).map_err(failed)?,
        length: 0,
        flushed: 0,
    };
    let written = writer.write_all(header, items, vault, stop).map_err(failed);
    if !matches!(written, Ok(true)) {
        // What is left of it takes space that may be short.
        std::fs::remove_file(&draft).ok();
        return written.map(|_| None);
    }
    volume
        .publish(&draft, path)
        .map_err(DiskError::io("publish", path))?;
    Ok(Some(writer.length))
}

struct Writer {
    sink: Box<dyn Sink>,
    length: u64,
    flushed: u64,
}

impl Writer {
    fn write_all<'a>(
        &mut self,
        header: &Header,
        items: impl Iterator<Item = Item<'a>>,
        vault: &Vault,
        stop: impl Fn() -> bool,
    ) -> std::io::Result<bool> {
        self.put(&header.encode())?;
        let mut frames = Frames::new(header);
        for item in items {
            if let Some(frame) = frames.add(&item, vault) {
                self.put(&frame)?;
                if stop() {
                    return Ok(false);
                }
            }
        }
        self.put(&frames.finish())?;
        self.sink.sync()?;
        Ok(true)
    }

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sink.append(bytes)?;
        self.length += bytes.len() as u64;
        if self.length - self.flushed >= FLUSH_BYTES {
            self.flushed = self.length;
            self.sink.sync()?;
        }
        Ok(())
    }
}
