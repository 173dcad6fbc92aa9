//! Starts one program the way containers run: its own session, user, cgroup, environment and nothing else of ours.

use std::{
    ffi::CString,
    io,
    os::{
        fd::OwnedFd,
        unix::{ffi::OsStrExt as _, process::CommandExt as _},
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::{
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
    process::{Pid, PidfdFlags, Resource, getrlimit, pidfd_open},
};

use toolforge_streams::Wanted;

use super::{cgroup::Cgroup, command::CommandLine, descriptor, terminal};
use crate::sys::child::{Credentials, Setup, arm};

/// Most files that a program may open without asking for more; what servers are used to.
const OPEN_FILES: u64 = 65_536;
/// Makes the kernel end containers before the platform when the machine runs out of memory; from -1000 to 1000.
const OOM_SCORE_ADJ: &[u8] = b"500";

/// A program that runs.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) child: Child,
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// Where its `bind` calls come out, if that was asked for.
    pub(super) listener: Option<OwnedFd>,
    /// Our end of its terminal, if it has one; then it has no pipes.
    pub(super) terminal: Option<OwnedFd>,
}

/// Starts a program; call it on the spawner's thread.
pub(super) fn launch(
    line: &CommandLine,
    program: &Path,
    credentials: Option<&Credentials>,
    cgroup: Option<&Cgroup>,
    redirect: bool,
    wanted: Wanted,
) -> io::Result<Launched> {
    let (ours, theirs) = if redirect { listener_path()? } else { (None, None) };
    let files = getrlimit(Resource::Nofile);
    let hard = files.maximum.unwrap_or(u64::MAX);
    let setup = Setup {
        cgroups: cgroup.map(Cgroup::entrances).transpose()?.unwrap_or_default(),
        credentials: credentials.cloned(),
        namespace: line.view.namespace(),
        folder: CString::new(line.folder.as_os_str().as_bytes())?,
        open_files: (OPEN_FILES.min(hard), hard),
        oom_score_adj: OOM_SCORE_ADJ,
        terminal: wanted.tty,
        listener_to: theirs,
    };
    let mut command = Command::new(program);
    command
        .arg0(&line.program)
        .args(&line.arguments)
        .env_clear()
        .envs(&line.environment);
    let terminal = connect(&mut command, wanted, credentials)?;
    arm(&mut command, setup);
    let mut child = command.spawn()?;
    match identify(&child, ours.as_ref()) {
        Ok((pid, pidfd, listener)) => Ok(Launched {
            child,
            pid,
            pidfd,
            listener,
            terminal,
        }),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

/// Gives the program its streams: pipes for those that are wanted, or one terminal for all. Our end of the latter.
fn connect(
    command: &mut Command,
    wanted: Wanted,
    credentials: Option<&Credentials>,
) -> io::Result<Option<OwnedFd>> {
    if wanted.tty {
        let (ours, theirs) = terminal::open(credentials.map(|credentials| credentials.uid))?;
        command
            .stdin(theirs.try_clone()?)
            .stdout(theirs.try_clone()?)
            .stderr(theirs);
        return Ok(Some(ours));
    }
    let pipe = |wanted| if wanted { Stdio::piped() } else { Stdio::null() };
    command
        .stdin(pipe(wanted.stdin))
        .stdout(pipe(wanted.stdout))
        .stderr(pipe(wanted.stderr));
    Ok(None)
}

fn identify(child: &Child, listener_from: Option<&OwnedFd>) -> io::Result<(Pid, OwnedFd, Option<OwnedFd>)> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the kernel gave a process no number"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    // The child sent it before it ran its program, and that it runs we know.
    let listener = listener_from.map(descriptor::take).transpose()?;
    Ok((pid, pidfd, listener))
}

fn listener_path() -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok((Some(ours), Some(theirs)))
}
