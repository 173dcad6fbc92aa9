//! What this process is told by signals.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It is to end; with Grid Engine, USR2 comes before a SIGKILL.
    End,
    /// It will be stopped: USR1 comes before a SIGSTOP.
    Stop,
    /// It goes on.
    Continue,
}

/// The signals.
pub(super) struct Told {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    will_kill: Signal,
    will_stop: Signal,
    goes_on: Signal,
}

impl Told {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            will_kill: signal(SignalKind::user_defined2())?,
            will_stop: signal(SignalKind::user_defined1())?,
            goes_on: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    pub(super) async fn next(&mut self) -> Word {
        tokio::select! {
            _ = self.terminate.recv() => Word::End,
            _ = self.interrupt.recv() => Word::End,
            _ = self.hang_up.recv() => Word::End,
            _ = self.will_kill.recv() => Word::End,
            _ = self.will_stop.recv() => Word::Stop,
            _ = self.goes_on.recv() => Word::Continue,
        }
    }

    /// The end, and nothing else.
    pub(super) async fn end(&mut self) {
        while self.next().await != Word::End {}
    }
}
