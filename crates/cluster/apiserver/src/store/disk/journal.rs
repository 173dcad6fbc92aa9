//! The journal that is being written: groups of changes at its end, each on disk before it counts.

use std::io;
use std::path::{Path, PathBuf};

use super::catalog::{Segment, journal_path};
use super::header::{HEADER_BYTES, Header};
use super::problem::DiskError;
use super::volume::{Sink, Volume};

/// An open journal.
pub(crate) struct Journal {
    pub(crate) path: PathBuf,
    pub(crate) segment: Segment,
    /// The checksum of its last group.
    pub(crate) chain: u64,
    sink: Box<dyn Sink>,
    /// Behind the last whole group there may be the remains of one that could not be written.
    has_remains: bool,
}

impl Journal {
    /// A new journal with nothing in it, on disk when this returns.
    pub(crate) fn create(volume: &dyn Volume, folder: &Path, header: &Header) -> Result<Self, DiskError> {
        let path = journal_path(folder, header.base);
        let failed = |problem| DiskError::io("write", &path)(problem);
        let mut sink = volume.create(&path).map_err(failed)?;
        sink.append(&header.encode()).map_err(failed)?;
        sink.sync().map_err(failed)?;
        volume.sync_folder(folder).map_err(failed)?;
        Ok(Self {
            path,
            segment: Segment {
                base: header.base,
                last: header.base,
                events: 0,
                bytes: HEADER_BYTES as u64,
            },
            chain: header.chain,
            sink,
            has_remains: false,
        })
    }

    /// Goes on with a journal of which everything up to the segment's length is known to be whole.
    pub(crate) fn resume(
        volume: &dyn Volume,
        folder: &Path,
        segment: Segment,
        chain: u64,
    ) -> Result<Self, DiskError> {
        let path = journal_path(folder, segment.base);
        let sink = volume.reopen(&path).map_err(DiskError::io("open", &path))?;
        Ok(Self {
            path,
            segment,
            chain,
            sink,
            has_remains: true,
        })
    }

    /// Appends a frame; returns when it is on disk. After an error nothing of it will ever be read: what is left of it
    /// is cut off now or, when the disk does not allow even that, before the next write.
    pub(crate) fn append(
        &mut self,
        frame: &[u8],
        chain: u64,
        last: u64,
        events: u64,
    ) -> Result<(), DiskError> {
        self.remove_remains()?;
        self.has_remains = true;
        if let Err(problem) = self.sink.append(frame).and_then(|()| self.sink.sync()) {
            self.remove_remains().ok();
            return Err(DiskError::io("write", &self.path)(problem));
        }
        self.has_remains = false;
        self.chain = chain;
        self.segment.last = last;
        self.segment.events += events;
        self.segment.bytes += frame.len() as u64;
        Ok(())
    }

    /// Cuts off what stands behind the last whole group.
    pub(crate) fn remove_remains(&mut self) -> Result<(), DiskError> {
        if self.has_remains {
            self.cut().map_err(DiskError::io("repair", &self.path))?;
            self.has_remains = false;
        }
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.sink.truncate(self.segment.bytes)?;
        self.sink.sync()
    }
}
