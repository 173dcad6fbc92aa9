//! Who has the file of registrations: one gateway at a time. At a replacement the next one waits here until the one before
//! takes no more connections, and begins with what that has written last.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    thread,
};

use tokio::sync::oneshot;

/// The lock on the file beside `path`; it is let go when this is dropped, or the process ends in whatever way.
pub(crate) async fn lock(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(name)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    tracing::info!(path = %path.display(), "another gateway has the registrations; nobody registers here until it ends");
    let (tell, told) = oneshot::channel();
    // A thread of its own: nobody waits for it at the end of the program.
    thread::Builder::new()
        .name("registrations".to_owned())
        .spawn(move || {
            let locked = file.lock().map(|()| file);
            // Whoever waited may be gone, and the lock with it.
            let _ = tell.send(locked);
        })?;
    told.await.map_err(io::Error::other)?
}
