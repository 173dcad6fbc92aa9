//! The lock of a file that others change as well, as `kubectl` has it: a file beside it, with `.lock` at the end, which only one can make.
//!
//! Ours is a link that says so (it leads nowhere): what an attempt of ours left that was killed is told from a lock of somebody who is at
//! work. **Invariant:** in one home there is one thread of ours, of the one replica that leads; so a lock of ours that is found is nobody's.

use std::time::{Duration, Instant, SystemTime};

use rustix::{
    fs::{self, AtFlags, FileType},
    io::Errno,
};

use super::{FileError, Folder};

/// What our locks say.
const OURS: &str = "toolforge-accounts";

/// How long another one's lock is waited for: `kubectl` has it for milliseconds.
const WAIT: Duration = Duration::from_secs(1);

/// Between two attempts to get it.
const PAUSE: Duration = Duration::from_millis(20);

/// Older ones were left by who was killed. Long enough for clocks of servers that are a little off.
const LEFT: Duration = Duration::from_mins(1);

impl Folder {
    /// Does something to a file while nobody else does who asks for its lock.
    pub(crate) fn with_lock<T, E: From<FileError>>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let lock = lock_of(name);
        self.take(&lock)?;
        let done = work();
        let released = self.release(&lock);
        let done = done?;
        released?;
        Ok(done)
    }

    /// Removes a lock of ours that an attempt left which was killed: `kubectl` would refuse to change the file.
    pub(crate) fn drop_own_lock(&self, name: &str) -> Result<(), FileError> {
        let lock = lock_of(name);
        if self.link_text(&lock)?.as_deref() == Some(OURS) {
            self.release(&lock)?;
        }
        Ok(())
    }

    fn take(&self, lock: &str) -> Result<(), FileError> {
        let began = Instant::now();
        loop {
            self.fence.pass()?;
            match fs::symlinkat(OURS, &self.fd, lock) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(self.error("lock", lock, errno)),
            }
            if self.is_left(lock)? {
                self.release(lock)?;
            } else if began.elapsed() < WAIT {
                std::thread::sleep(PAUSE);
            } else {
                let path = self.path.join(lock);
                return Err(FileError::Locked { path });
            }
        }
    }

    /// Not synced: a lock that comes back after a power failure is ours, and goes at the next look.
    fn release(&self, lock: &str) -> Result<(), FileError> {
        self.fence.pass()?;
        match fs::unlinkat(&self.fd, lock, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.error("unlock", lock, errno)),
        }
    }

    fn is_left(&self, lock: &str) -> Result<bool, FileError> {
        if self.link_text(lock)?.as_deref() == Some(OURS) {
            return Ok(true);
        }
        let stat = match fs::statat(&self.fd, lock, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Given back in the meantime.
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(self.error("look at", lock, errno)),
        };
        let since = u64::try_from(stat.st_mtime).unwrap_or_default();
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + Duration::from_secs(since));
        // Nobody locks with a folder.
        let is_file = FileType::from_raw_mode(stat.st_mode) != FileType::Directory;
        Ok(is_file && age.is_ok_and(|age| age > LEFT))
    }
}

fn lock_of(name: &str) -> String {
    format!("{name}.lock")
}
