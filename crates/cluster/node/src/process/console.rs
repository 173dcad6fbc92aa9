//! What is attached to a running container: its input, and those who read along.

use std::{io, os::fd::OwnedFd, sync::Arc};

use k8s_openapi::api::core::v1::Container;
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, Interest};
use toolforge_streams::Wanted;

use super::{ends::End, tap::Tap, terminal};
use crate::session::{self, Output, Resizer};

/// Which streams a container is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Terms {
    pub(super) stdin: bool,
    /// Whether its input ends with the first client that gave any.
    pub(super) stdin_once: bool,
    pub(super) tty: bool,
}

impl Terms {
    pub(super) fn of(container: &Container) -> Self {
        Self {
            stdin: container.stdin == Some(true),
            stdin_once: container.stdin_once == Some(true),
            tty: container.tty == Some(true),
        }
    }

    /// The streams to start it with.
    pub(super) fn wanted(self) -> Wanted {
        Wanted {
            stdin: self.stdin,
            stdout: true,
            stderr: true,
            tty: self.tty,
        }
    }
}

/// The console of one container.
#[derive(Debug)]
pub(super) struct Console {
    terms: Terms,
    /// Our end of its input; none when it has none or has no more. With a terminal, our end of that.
    input: Mutex<Option<OwnedFd>>,
    /// Readers of output and of errors.
    taps: [Mutex<Vec<Arc<Tap>>>; 2],
    closed: Mutex<bool>,
}

impl Console {
    pub(super) fn new(terms: Terms, input: Option<OwnedFd>) -> Self {
        Self {
            terms,
            input: Mutex::new(input),
            taps: Default::default(),
            closed: Mutex::new(false),
        }
    }

    /// Passes on what the container wrote. Waits for readers that lag.
    pub(super) fn write(&self, error: bool, bytes: &[u8]) {
        let slot = &self.taps[usize::from(error)];
        let taps = slot.lock().clone();
        if taps.is_empty() {
            return;
        }
        let (_, gone): (Vec<_>, Vec<_>) = taps.into_iter().partition(|tap| tap.push(bytes));
        slot.lock()
            .retain(|tap| !gone.iter().any(|gone| Arc::ptr_eq(tap, gone)));
    }

    /// The container has ended.
    pub(super) fn close(&self) {
        *self.closed.lock() = true;
        for slot in &self.taps {
            slot.lock().drain(..).for_each(|tap| tap.close());
        }
        self.input.lock().take();
    }

    /// Reads along from now on.
    pub(super) fn tap(&self, error: bool) -> Output {
        let tap = Arc::new(Tap::default());
        let closed = self.closed.lock();
        if *closed {
            tap.close();
        } else {
            self.taps[usize::from(error)].lock().push(tap.clone());
        }
        Tap::output(tap)
    }

    /// Whether it has a terminal.
    pub(super) fn has_terminal(&self) -> bool {
        self.terms.tty
    }

    /// A way into its input; none where it has none.
    pub(super) fn input(self: &Arc<Self>) -> io::Result<Option<session::Input>> {
        if !self.terms.stdin {
            return Ok(None);
        }
        let Some(end) = self.end()? else { return Ok(None) };
        let console = self.clone();
        Ok(Some(Box::new(Input { end, console })))
    }

    /// What gives its terminal another size.
    pub(super) fn resizer(&self) -> io::Result<Option<Resizer>> {
        if !self.terms.tty {
            return Ok(None);
        }
        let fd = self.input.lock().as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(fd.map(|fd| -> Resizer { Box::new(move |size| terminal::resize(&fd, size)) }))
    }

    fn end(&self) -> io::Result<Option<End>> {
        let fd = self.input.lock().as_ref().map(OwnedFd::try_clone).transpose()?;
        fd.map(|fd| End::new(fd, Interest::WRITABLE)).transpose()
    }
}

/// One client's way into a container's input.
#[derive(Debug)]
struct Input {
    end: End,
    console: Arc<Console>,
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.end).poll_write(context, bytes)
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        // A terminal stays: it carries the output as well.
        if self.console.terms.stdin_once && !self.console.terms.tty {
            self.console.input.lock().take();
        }
    }
}
