//! The processes of a run: started here, told what the runner is told, reaped with whatever they leave behind.

use std::{
    io,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, ExitStatus},
};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group};
use tokio::signal::unix::{self, SignalKind};

/// Signals that go on to the tool.
const FORWARDED: [Signal; 6] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
];

/// A process ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) process: Pid,
    pub(super) status: ExitStatus,
}

/// All processes below this one. There is one of it: it reaps whatever ends.
#[derive(Debug)]
pub(super) struct Children {
    changed: unix::Signal,
}

impl Children {
    /// Begins to listen for ends, and takes in the orphans of its processes.
    pub(super) fn new() -> io::Result<Self> {
        // Outside of a container orphans would go to somebody else, and outlive the tool unseen.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(Self {
            changed: unix::signal(SignalKind::child())?,
        })
    }

    /// The next end of any process.
    pub(super) async fn next_end(&mut self) -> Ended {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) => {
                    let status = ExitStatus::from_raw(status.as_raw());
                    return Ended { process, status };
                }
                // One is interrupted only by a signal, and then asks again.
                Err(rustix::io::Errno::INTR) => {}
                // None has ended, or there is none.
                Ok(None) | Err(_) => {
                    self.changed.recv().await;
                }
            }
        }
    }
}

/// Starts a process, in a group of its own where it is to hear signals together with its children.
pub(super) fn start(command: &mut Command, group: bool) -> Result<Pid, String> {
    if group {
        command.process_group(0);
    }
    let child = command.spawn().map_err(|error| {
        format!(
            "{} cannot be run: {error}",
            command.get_program().to_string_lossy()
        )
    })?;
    Ok(Pid::from_child(&child))
}

/// What the runner itself is told, to tell it to others.
#[derive(Debug)]
pub(super) struct Orders(Vec<(Signal, unix::Signal)>);

impl Orders {
    /// From now on these signals do not end the runner.
    pub(super) fn listen() -> io::Result<Self> {
        FORWARDED
            .iter()
            .map(|signal| {
                let kind = SignalKind::from_raw(signal.as_raw());
                Ok((*signal, unix::signal(kind)?))
            })
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (signal, stream) in &mut self.0 {
                if stream.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*signal);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// The next signal that means the end.
    pub(super) async fn stop(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            if [Signal::TERM, Signal::INT, Signal::QUIT].contains(&signal) {
                return signal;
            }
        }
    }
}

/// Tells a process, or its group; one that is gone already needs no telling.
pub(super) fn tell(process: Pid, group: bool, signal: Signal) {
    let _ = if group {
        kill_process_group(process, signal)
    } else {
        kill_process(process, signal)
    };
}

/// The exit code for an end, as a shell would have it.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
