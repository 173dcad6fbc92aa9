//! One container, from its start to its end.

use std::{
    io,
    net::Ipv4Addr,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    process::{Child, ExitStatus},
    sync::Arc,
    thread,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitOptions, pidfd_send_signal, waitpid};
use tokio::sync::watch;

use super::{
    cgroup::{Cgroup, Cgroups},
    command::CommandLine,
    console::{Console, Terms},
    ending::end_session,
    guest::Guests,
    launch::{Launched, launch},
    leftovers::{Record, Records},
    limits::Limits,
    redirect,
    streams::Streams,
    table,
};
use crate::{
    runtime::{ContainerId, ContainerPlace, Exit, OutputSink, Stop},
    sys::child::Credentials,
    usage::{Allowance, Memory, Reading, Usage},
};

/// A container's thread only copies bytes, into whatever its output is.
const STACK_BYTES: usize = 512 << 10;

/// What is known of a container before it runs.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) line: CommandLine,
    pub(super) credentials: Option<Credentials>,
    pub(super) limits: Limits,
    pub(super) address: Ipv4Addr,
    pub(super) output: Arc<dyn OutputSink>,
    pub(super) place: ContainerPlace,
    pub(super) terms: Terms,
    /// The image that the Pod names.
    pub(super) image: String,
}

/// A container that runs, or did until a moment ago.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) plan: Plan,
    pub(super) cgroup: Option<Cgroup>,
    /// Who is attached to it.
    pub(super) console: Arc<Console>,
    /// The commands that run inside of it.
    pub(super) guests: Mutex<Guests>,
    started: Timestamp,
    pid: Pid,
    pidfd: OwnedFd,
    exit: watch::Sender<Option<Exit>>,
}

/// Runs a container; call it on the spawner's thread. After an error nothing of it is left.
pub(super) fn start(
    id: &ContainerId,
    plan: Plan,
    program: &Path,
    cgroups: &Cgroups,
    records: &Records,
    redirect: bool,
) -> io::Result<Arc<Running>> {
    let cgroup = cgroups.make(id.as_str(), &plan.limits)?;
    let launched = launch(
        &plan.line,
        program,
        plan.credentials.as_ref(),
        cgroup.as_ref(),
        redirect,
        plan.terms.wanted(),
    );
    let Launched {
        mut child,
        pid,
        pidfd,
        listener,
        terminal,
    } = match launched {
        Ok(launched) => launched,
        Err(error) => {
            if let Some(cgroup) = cgroup {
                cgroup.end_all();
                cgroup.remove();
            }
            return Err(error);
        }
    };
    if let Some(record) = Record::of(pid, plan.address)
        && let Err(error) = records.write(id.as_str(), &record)
    {
        tracing::warn!(container = %id, %error, "a running container cannot be recorded");
    }
    let input = match &terminal {
        Some(terminal) => terminal.try_clone().ok(),
        None => child.stdin.take().map(OwnedFd::from),
    };
    let running = Arc::new(Running {
        console: Arc::new(Console::new(plan.terms, input)),
        guests: Mutex::default(),
        plan,
        cgroup,
        started: Timestamp::now(),
        pid,
        pidfd,
        exit: watch::Sender::new(None),
    });
    let streams = Streams::of(&mut child, terminal);
    let attendant = {
        let (running, id, records) = (running.clone(), id.clone(), records.clone());
        move || running.attend(child, streams, || records.remove(id.as_str()))
    };
    let served = listener.map_or(Ok(()), |listener| redirect::serve(listener, running.plan.address));
    let threads = served.and_then(|()| {
        thread::Builder::new()
            .name("container".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(attendant)
            .map(drop)
    });
    match threads {
        Ok(()) => Ok(running),
        Err(error) => {
            running.end_all();
            // Nobody else will.
            let _ = waitpid(Some(pid), WaitOptions::empty());
            running.clean_up();
            records.remove(id.as_str());
            Err(error)
        }
    }
}

impl Running {
    /// Asks or forces it to end. What it started is ended by its own thread as soon as its first process is gone.
    pub(super) fn stop(&self, how: Stop) {
        let signal = match how {
            Stop::Ask => Signal::TERM,
            Stop::Force => Signal::KILL,
        };
        // It may have ended already.
        let _ = pidfd_send_signal(&self.pidfd, signal);
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) -> Option<Exit> {
        let mut exit = self.exit.subscribe();
        let exit = exit.wait_for(Option::is_some).await.ok()?;
        exit.clone()
    }

    /// What it uses: as the cgroup counts, else the sum of its session's processes. None when it has ended.
    pub(super) fn reading(&self, id: &ContainerId) -> Option<Reading> {
        if self.exit.borrow().is_some() {
            return None;
        }
        let counted = self.cgroup.as_ref().and_then(Cgroup::usage);
        let usage = counted.or_else(|| summed(&table::of_session(self.pid)))?;
        let own = self.cgroup.as_ref().map(|cgroup| cgroup.path().to_owned());
        Some(Reading {
            id: id.clone(),
            place: self.plan.place.clone(),
            image: self.plan.image.clone(),
            group: own.clone().unwrap_or_else(|| format!("/processes/{id}")),
            started: self.started,
            // Without a group nothing holds it to its limits.
            allowance: own.map_or_else(Allowance::default, |_| self.plan.limits.allowance()),
            usage,
        })
    }

    /// The whole rest of its life; on its own thread.
    fn attend(&self, mut child: Child, mut streams: Streams, forget: impl FnOnce()) {
        let mut write = |error: bool, bytes: &[u8]| {
            self.plan.output.write(error, bytes);
            self.console.write(error, bytes);
        };
        if let Err(error) = streams.follow(&self.pidfd, None, &mut write) {
            // Not to know when it ends would be worse than to end it.
            tracing::error!(pid = self.pid.as_raw_pid(), %error, "a container cannot be watched any more and is ended");
            self.stop(Stop::Force);
        }
        self.end_all();
        streams.drain(&mut write);
        let out_of_memory = self
            .cgroup
            .as_ref()
            .is_some_and(|cgroup| cgroup.out_of_memory_kills() > 0);
        let status = child.wait();
        self.clean_up();
        forget();
        self.plan.output.close();
        self.console.close();
        self.exit.send_replace(Some(exit(&status, out_of_memory)));
    }

    /// Ends everything of it. Its first process has not been reaped yet.
    fn end_all(&self) {
        self.end_guests();
        let ended = match &self.cgroup {
            Some(cgroup) => cgroup.end_all(),
            None => end_session(self.pid),
        };
        if !ended {
            tracing::warn!(
                pid = self.pid.as_raw_pid(),
                "processes of a container do not end even when killed"
            );
        }
    }

    fn clean_up(&self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.remove();
        }
    }
}

/// What processes use together.
fn summed(members: &[table::Entry]) -> Option<Usage> {
    if members.is_empty() {
        return None;
    }
    let held = members.iter().filter_map(|entry| table::memory_bytes(entry.pid));
    let rss = held.sum();
    Some(Usage {
        cpu: members.iter().map(|entry| entry.cpu).sum(),
        memory: Memory {
            usage_bytes: rss,
            working_set_bytes: rss,
            rss_bytes: Some(rss),
            ..Memory::default()
        },
        processes: Some(members.len() as u64),
        ..Usage::default()
    })
}

/// What a shell adds to a signal's number for its exit code, and Kubernetes with it.
const SIGNAL_BASE: i32 = 128;
/// The code of a program that was killed.
const KILLED: i32 = SIGNAL_BASE + libc::SIGKILL;

/// Reads an exit status. Out of memory it was only when it was killed: a program that lost a helper process may
/// have gone on and ended well.
fn exit(status: &io::Result<ExitStatus>, out_of_memory: bool) -> Exit {
    let signal = status.as_ref().ok().and_then(ExitStatusExt::signal);
    let code = exit_code(status);
    Exit {
        code,
        signal,
        out_of_memory: out_of_memory && code == KILLED,
        at: Timestamp::now(),
    }
}

/// The code of an exit status.
pub(super) fn exit_code(status: &io::Result<ExitStatus>) -> i32 {
    match status {
        Ok(status) => match status.signal() {
            Some(signal) => SIGNAL_BASE + signal,
            None => status.code().unwrap_or(KILLED),
        },
        // Somebody else reaped it.
        Err(_) => KILLED,
    }
}

/// The end of a container that nobody knows about.
pub(super) fn unknown_exit() -> Exit {
    Exit {
        code: KILLED,
        signal: None,
        out_of_memory: false,
        at: Timestamp::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_told_as_kubernetes_tells_them() {
        let read = |raw, oom| exit(&Ok(ExitStatus::from_raw(raw)), oom);
        assert_eq!(read(3 << 8, false).code, 3);
        let killed = read(9, true);
        assert_eq!(
            (killed.code, killed.signal, killed.out_of_memory),
            (137, Some(9), true)
        );
        assert!(
            read(137 << 8, true).out_of_memory,
            "a shell tells the end of its child"
        );
        assert!(!read(0, true).out_of_memory, "it went on without what was killed");
        assert_eq!(exit(&Err(io::Error::other("gone")), false).code, 137);
    }
}
