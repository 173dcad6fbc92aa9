//! Stays with a running program: passes its output on until it ends.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::{AsFd as _, OwnedFd},
    process::Child,
    time::Instant,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How much output is passed on at once, in bytes: what a pipe holds.
const CHUNK_BYTES: usize = 64 << 10;
/// How many chunks are passed on after the end: more cannot lie in the pipes, unless somebody goes on writing.
const DRAIN_CHUNKS: usize = 32;
/// What can be read now, or will never be.
const READY: PollFlags = PollFlags::IN.union(PollFlags::HUP).union(PollFlags::ERR);

/// The two outputs of a program, as long as anybody holds their other ends.
#[derive(Debug)]
pub(super) struct Streams {
    /// Standard output and standard error.
    open: [Option<File>; 2],
    chunk: Vec<u8>,
}

/// Why [`Streams::follow`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// The program's first process ended. It has not been reaped yet, so its number is still its own.
    Ended,
    /// The time was up.
    TimeUp,
}

impl Streams {
    /// The outputs of a program: its pipes, or its terminal.
    pub(super) fn of(child: &mut Child, terminal: Option<OwnedFd>) -> Self {
        let output = child
            .stdout
            .take()
            .map(OwnedFd::from)
            .or(terminal)
            .map(File::from);
        let error = child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        Self {
            open: [output, error],
            chunk: vec![0; CHUNK_BYTES],
        }
    }

    /// Passes output on until the program's first process ends, at most until `limit`.
    pub(super) fn follow(
        &mut self,
        pidfd: &OwnedFd,
        limit: Option<Instant>,
        write: &mut impl FnMut(bool, &[u8]),
    ) -> io::Result<Followed> {
        loop {
            let left = limit.map(|limit| limit.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let ready = self.wait(Some(pidfd), timeout.as_ref())?;
            self.pass_on(ready, write);
            if ready.ended {
                return Ok(Followed::Ended);
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Followed::TimeUp);
            }
        }
    }

    /// Passes on what still lies in the pipes, without waiting for those who keep them open.
    pub(super) fn drain(&mut self, write: &mut impl FnMut(bool, &[u8])) {
        for _ in 0..DRAIN_CHUNKS {
            match self.wait(None, Some(&Timespec::default())) {
                Ok(ready) if ready.streams != [false, false] => self.pass_on(ready, write),
                _ => return,
            }
        }
    }

    fn wait(&self, pidfd: Option<&OwnedFd>, timeout: Option<&Timespec>) -> io::Result<Ready> {
        let sources = [pidfd.map(|one| one.as_fd()), self.fd(0), self.fd(1)];
        let mut polled: Vec<PollFd<'_>> = sources
            .iter()
            .flatten()
            .map(|source| PollFd::from_borrowed_fd(*source, PollFlags::IN))
            .collect();
        match poll(&mut polled, timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut events = polled.iter().map(|one| one.revents().intersects(READY));
        let [ended, output, error] = sources.map(|source| source.is_some() && events.next().unwrap_or(false));
        Ok(Ready {
            ended,
            streams: [output, error],
        })
    }

    fn pass_on(&mut self, ready: Ready, write: &mut impl FnMut(bool, &[u8])) {
        for (at, slot) in self.open.iter_mut().enumerate() {
            let Some(file) = slot.as_mut().filter(|_| ready.streams[at]) else {
                continue;
            };
            match file.read(&mut self.chunk) {
                // A terminal does not block, because those who are attached to it write without blocking.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                    ) => {}
                Ok(0) | Err(_) => *slot = None,
                Ok(length) => write(at == 1, &self.chunk[..length]),
            }
        }
    }

    fn fd(&self, at: usize) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.open[at].as_ref().map(File::as_fd)
    }
}

#[derive(Debug, Clone, Copy)]
struct Ready {
    ended: bool,
    streams: [bool; 2],
}
