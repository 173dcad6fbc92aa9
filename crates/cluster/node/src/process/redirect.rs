//! Gives a container's `bind` calls to its own address: one thread per container, as long as anything of it lives.
//!
//! A verdict of "the kernel decides" can be changed by another thread of the caller after we looked, as
//! `seccomp_unotify(2)` warns: this keeps Pods out of each other's way, it is no wall between enemies.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr},
    os::{fd::OwnedFd, unix::fs::FileExt as _},
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    net::{SocketType, sockopt},
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};

use super::verdict::{ADDRESS_BYTES, Verdict, judge};
use crate::sys::seccomp::{self, Answer, BindCall};

/// The thread holds one address and a few numbers.
const STACK_BYTES: usize = 128 << 10;

/// Starts the thread that answers a container's `bind` calls until its last process has ended.
pub(super) fn serve(listener: OwnedFd, own: Ipv4Addr) -> io::Result<()> {
    let run = move || {
        if let Err(error) = answer_all(&listener, own) {
            tracing::warn!(%own, %error, "bind calls of a container are no longer redirected");
        }
    };
    thread::Builder::new()
        .name("bind".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(run)?;
    Ok(())
}

fn answer_all(listener: &OwnedFd, own: Ipv4Addr) -> io::Result<()> {
    loop {
        let mut ready = [PollFd::new(listener, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let events = ready[0].revents();
        if events.contains(PollFlags::IN) {
            if let Some(call) = seccomp::receive(listener)? {
                let answer = decide(listener, &call, own);
                // The caller may have been killed meanwhile; then nobody needs the answer.
                let _ = seccomp::respond(listener, call.id, answer);
            }
        } else if events.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Ok(());
        }
    }
}

fn decide(listener: &OwnedFd, call: &BindCall, own: Ipv4Addr) -> Answer {
    let bytes = match read_address(call) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::debug!(%own, %error, "the address of a bind call cannot be read");
            return Answer::Continue;
        }
    };
    match judge(&bytes, own) {
        Verdict::Continue => Answer::Continue,
        Verdict::Refuse => Answer::Fail(libc::EADDRNOTAVAIL),
        Verdict::Rebind(address) => match bind_for(listener, call, address) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Fail(error.raw_os_error()),
        },
    }
}

fn read_address(call: &BindCall) -> io::Result<Vec<u8>> {
    let length = usize::try_from(call.length)
        .unwrap_or(usize::MAX)
        .min(ADDRESS_BYTES);
    let mut bytes = vec![0; length];
    File::open(format!("/proc/{}/mem", call.thread))?.read_exact_at(&mut bytes, call.address)?;
    Ok(bytes)
}

/// Binds the caller's own socket, through a copy of its descriptor.
fn bind_for(listener: &OwnedFd, call: &BindCall, address: SocketAddr) -> rustix::io::Result<()> {
    let process = process_of(call.thread).ok_or(rustix::io::Errno::SRCH)?;
    let process = pidfd_open(process, PidfdFlags::empty())?;
    // The thread's number may have passed to somebody else since the call. While it still waits it has not, so
    // everything read and opened up to here was the caller's.
    if !seccomp::still_waits(listener, call.id) {
        return Err(rustix::io::Errno::SRCH);
    }
    let socket = pidfd_getfd(&process, call.socket, PidfdGetfdFlags::empty())?;
    if sockopt::socket_type(&socket)? == SocketType::STREAM {
        // What an earlier program at this address left in TIME_WAIT must not hold up the next for a minute; the
        // address is this Pod's alone, so there is nobody to take it from.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if address.is_ipv6() && sockopt::ipv6_v6only(&socket)? {
        // The Pod's address is an IPv4 one; a socket that wants nothing but IPv6 could never have it.
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)
}

/// The process that a thread belongs to; pidfds are of processes.
fn process_of(thread: u32) -> Option<Pid> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    Pid::from_raw(line.trim().parse().ok()?)
}
