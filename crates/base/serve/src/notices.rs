//! Notices of changes of files: a certificate that is renewed, an authority that is replaced. What is in the files now is
//! for whoever asked to read.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::inotify;
use tokio::io::{Interest, unix::AsyncFd};

/// What may happen to the files: written, moved into place, or - as Kubernetes does with Secrets in volumes - reached
/// by a link in their folder that leads somewhere else from now on.
const CHANGES: inotify::WatchFlags = inotify::WatchFlags::CLOSE_WRITE
    .union(inotify::WatchFlags::CREATE)
    .union(inotify::WatchFlags::MOVED_TO);
/// Bytes of notices that are read at once; what they say is not looked at.
const BUFFER: usize = 4096;

/// The folder of a file cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("the folder of {} cannot be watched", path.display())]
pub struct NoticesError {
    path: PathBuf,
    source: io::Error,
}

/// Notices of changes in the folders of some files.
#[derive(Debug)]
pub struct Notices {
    notices: AsyncFd<OwnedFd>,
}

impl Notices {
    /// Of changes from now on; read the files after this. Needs the runtime.
    ///
    /// # Errors
    /// When a folder is not there, or the system has no more watches.
    pub fn of(files: &[&Path]) -> Result<Self, NoticesError> {
        let first = files.first().copied().unwrap_or(Path::new("."));
        let failed = |path: &Path, source: io::Error| NoticesError {
            path: path.to_owned(),
            source,
        };
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let notices = inotify::init(flags).map_err(|error| failed(first, error.into()))?;
        for path in files {
            let folder = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            inotify::add_watch(&notices, folder, CHANGES).map_err(|error| failed(path, error.into()))?;
        }
        #[expect(
            deprecated,
            reason = "it is unsound for descriptors that their owner can close; this one is owned, and its replacement is unsafe code"
        )]
        let notices =
            AsyncFd::with_interest(notices, Interest::READABLE).map_err(|error| failed(first, error))?;
        Ok(Self { notices })
    }

    /// Waits for the next change in one of the folders; false, and a line in the log, when there will be no more.
    pub async fn next(&mut self) -> bool {
        let mut buffer = [0; BUFFER];
        let read = self
            .notices
            .async_io(Interest::READABLE, |notices| {
                Ok(rustix::io::read(notices, &mut buffer)?)
            })
            .await;
        if let Err(error) = &read {
            tracing::error!(%error, "files can be watched no longer; restart when they change");
        }
        read.is_ok()
    }
}
