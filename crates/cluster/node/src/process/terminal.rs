//! Terminals of programs: a pseudoterminal, whose other end looks to them like a console.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    fs::{Uid, fchown},
    pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use toolforge_streams::Size;

/// Ours and the program's end of a new terminal. `user` may open the program's end again by its name.
pub(super) fn open(user: Option<u32>) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags)?;
    unlockpt(&ours)?;
    // By its number, for the name may mean another one where the program runs; and never as our own console.
    let theirs = ioctl_tiocgptpeer(&ours, flags)?;
    if let Some(user) = user {
        fchown(&theirs, Some(Uid::from_raw(user)), None)?;
    }
    Ok((ours, theirs))
}

/// Gives a terminal a size; the program is told by a signal.
pub(super) fn resize(ours: impl AsFd, size: Size) {
    let size = Winsize {
        ws_row: size.height,
        ws_col: size.width,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    if let Err(problem) = tcsetwinsize(ours, size) {
        tracing::debug!(%problem, "a terminal does not take a size");
    }
}
