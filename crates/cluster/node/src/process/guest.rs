//! A command that somebody runs inside a container: same user, groups, environment, folder, cgroup, address and files,
//! but a session of its own, with or without a terminal.

use std::{io, os::fd::OwnedFd, path::Path, process::Child, sync::Arc};

use rustix::process::Pid;
use tokio::{io::Interest, sync::oneshot};
use toolforge_streams::Wanted;

use super::{
    command::{self, CommandLine},
    container::{Running, exit_code, unknown_exit},
    ending::end_session,
    ends::End,
    launch::{Launched, launch},
    redirect,
    spawner::Spawner,
    terminal,
};
use crate::{
    runtime::StartError,
    session::{Input, Output, Resizer, Session},
    sys::reactor::watched,
};

/// What programs on a terminal are told it is, when the container does not say; what container runtimes say.
const TERMINAL: &str = "xterm";

/// Runs a command inside a container.
pub(super) async fn run(
    spawner: &Spawner,
    running: Arc<Running>,
    words: &[String],
    wanted: Wanted,
    redirect: bool,
) -> Result<Session, StartError> {
    let line = command_line(&running, words, wanted.tty)?;
    let program = line.program.clone();
    let path = command::find_program(&line)?;
    let host = running.clone();
    let unwanted = running.clone();
    let start = move || running.launch_guest(&line, &path, wanted, redirect);
    let abandon = move |mut launched: Launched| {
        let _ = launched.child.kill();
        unwanted.reap_guest(&mut launched.child, launched.pid);
    };
    let launched = spawner.run(start, abandon).await;
    let failed = |error: io::Error| StartError(format!("exec: \"{program}\": {error}"));
    let launched = launched.map_err(failed)?;
    session(host, launched, wanted).map_err(failed)
}

fn command_line(running: &Running, words: &[String], tty: bool) -> Result<CommandLine, StartError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(StartError(
            "you must specify at least one command for the container".to_owned(),
        ));
    };
    let mut line = CommandLine {
        program: program.clone(),
        arguments: arguments.to_vec(),
        ..running.plan.line.clone()
    };
    if tty {
        line.environment
            .entry("TERM".to_owned())
            .or_insert_with(|| TERMINAL.to_owned());
    }
    Ok(line)
}

/// The open ends of a command that runs, and a task that stays with it until it has ended.
fn session(host: Arc<Running>, launched: Launched, wanted: Wanted) -> io::Result<Session> {
    let Launched {
        mut child,
        pid,
        pidfd,
        listener,
        terminal,
    } = launched;
    let address = host.plan.address;
    let ends = Ends::of(&mut child, terminal, wanted);
    let (tell, ended) = oneshot::channel();
    let guest = Guest { host, child, pid };
    tokio::spawn(guest.attend(pidfd, tell));
    if let Some(listener) = listener {
        redirect::serve(listener, address)?;
    }
    let ends = ends?;
    Ok(Session {
        stdin: ends.stdin,
        stdout: ends.stdout,
        stderr: ends.stderr,
        resize: ends.resize,
        ended: Box::pin(async move { ended.await.unwrap_or_else(|_| unknown_exit().code) }),
    })
}

/// The open ends of a container itself.
pub(super) fn attach(running: Arc<Running>, wanted: Wanted) -> io::Result<Session> {
    let console = &running.console;
    let stdin = if wanted.stdin { console.input()? } else { None };
    let stderr = wanted.stderr && !console.has_terminal();
    Ok(Session {
        stdin,
        stdout: wanted.stdout.then(|| console.tap(false)),
        stderr: stderr.then(|| console.tap(true)),
        resize: console.resizer()?,
        ended: Box::pin(async move { running.ended().await.unwrap_or_else(unknown_exit).code }),
    })
}

/// The commands that run in a container.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// The container ends: nobody comes in any more.
    ending: bool,
    /// The leaders of their sessions, none of which has been reaped.
    leaders: Vec<Pid>,
}

impl Running {
    /// Starts a command; call it on the spawner's thread.
    fn launch_guest(
        &self,
        line: &CommandLine,
        program: &Path,
        wanted: Wanted,
        redirect: bool,
    ) -> io::Result<Launched> {
        // Held meanwhile, so that the end of the container finds all who are in it.
        let mut guests = self.guests.lock();
        if guests.ending {
            return Err(io::Error::other("the container has ended"));
        }
        let (user, cgroup) = (self.plan.credentials.as_ref(), self.cgroup.as_ref());
        let launched = launch(line, program, user, cgroup, redirect, wanted)?;
        guests.leaders.push(launched.pid);
        Ok(launched)
    }

    /// Reaps a command that has ended. Blocks for a moment.
    fn reap_guest(&self, child: &mut Child, pid: Pid) -> i32 {
        let mut guests = self.guests.lock();
        if self.cgroup.is_none() {
            // Without a cgroup nobody would find what it left behind when the container ends.
            end_session(pid);
        }
        let status = child.wait();
        guests.leaders.retain(|leader| *leader != pid);
        exit_code(&status)
    }

    /// Ends all commands, and lets no further one in. With a cgroup it ends them.
    pub(super) fn end_guests(&self) {
        let mut guests = self.guests.lock();
        guests.ending = true;
        if self.cgroup.is_none() {
            for leader in &guests.leaders {
                end_session(*leader);
            }
        }
    }
}

/// Our ends of its streams.
struct Ends {
    stdin: Option<Input>,
    stdout: Option<Output>,
    stderr: Option<Output>,
    resize: Option<Resizer>,
}

impl Ends {
    fn of(child: &mut Child, terminal: Option<OwnedFd>, wanted: Wanted) -> io::Result<Self> {
        if let Some(terminal) = terminal {
            let end = End::new(terminal, Interest::READABLE | Interest::WRITABLE)?;
            let own = end.clone();
            return Ok(Self {
                stdin: wanted.stdin.then(|| -> Input { Box::new(end.clone()) }),
                // Without anybody who reads, the terminal would fill up.
                stdout: Some(end.output()),
                stderr: None,
                resize: Some(Box::new(move |size| terminal::resize(own.fd(), size))),
            });
        }
        let output = |fd: Option<OwnedFd>| {
            let end = fd.map(|fd| End::new(fd, Interest::READABLE)).transpose()?;
            io::Result::Ok(end.map(End::output))
        };
        let stdin = child.stdin.take().map(OwnedFd::from);
        let stdin = stdin.map(|fd| End::new(fd, Interest::WRITABLE)).transpose()?;
        Ok(Self {
            stdin: stdin.map(|end| -> Input { Box::new(end) }),
            stdout: output(child.stdout.take().map(OwnedFd::from))?,
            stderr: output(child.stderr.take().map(OwnedFd::from))?,
            resize: None,
        })
    }
}

/// A command's process.
struct Guest {
    host: Arc<Running>,
    child: Child,
    pid: Pid,
}

impl Guest {
    /// Waits for its end and reaps it.
    async fn attend(self, pidfd: OwnedFd, tell: oneshot::Sender<i32>) {
        match watched(pidfd, Interest::READABLE) {
            Ok(pidfd) => drop(pidfd.readable().await),
            Err(problem) => tracing::warn!(%problem, "a command cannot be waited for without a thread"),
        }
        let Self { host, mut child, pid } = self;
        // Ending what it left behind takes a moment.
        let reaped = tokio::task::spawn_blocking(move || host.reap_guest(&mut child, pid)).await;
        // The client may be gone.
        let _ = tell.send(reaped.unwrap_or_else(|_| unknown_exit().code));
    }
}
