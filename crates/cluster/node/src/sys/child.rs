//! What a child process does to itself between fork and exec.
//!
//! Everything in here that runs in the child is async-signal-safe: other threads of the node may have held any lock
//! at the moment of the fork, so the child allocates nothing, locks nothing and logs nothing. What it needs has been
//! prepared in [`Setup`] before.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd},
        unix::process::CommandExt as _,
    },
    process::Command,
    ptr,
    sync::Arc,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::sys::seccomp;

/// Who the child becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
}

/// What the child does before it runs its program.
#[derive(Debug)]
pub(crate) struct Setup {
    /// `cgroup.procs` files to write itself into, opened for writing.
    pub(crate) cgroups: Vec<OwnedFd>,
    /// The mount namespace to enter; without one the child stays where its parent is.
    pub(crate) namespace: Option<Arc<OwnedFd>>,
    /// Who to become; without root nobody else.
    pub(crate) credentials: Option<Credentials>,
    /// The folder to start in, entered with the child's own rights.
    pub(crate) folder: CString,
    /// Limits on open files, soft and hard.
    pub(crate) open_files: (u64, u64),
    /// What the kernel adds to the child's badness when memory runs out, in decimal.
    pub(crate) oom_score_adj: &'static [u8],
    /// Whether standard input is a terminal that the child's session is to have.
    pub(crate) terminal: bool,
    /// Where to send the listener of the `bind` filter; without one no filter is installed.
    pub(crate) listener_to: Option<OwnedFd>,
}

/// Makes `command` do all of `setup` in its child.
pub(crate) fn arm(command: &mut Command, setup: Setup) {
    let parent = rustix::process::getpid().as_raw_pid();
    // SAFETY: the closure runs in the child between fork and exec. It and all that it calls use raw system calls on
    // memory that was prepared before the fork: no allocation, no lock, no unwinding.
    unsafe {
        command.pre_exec(move || enter(&setup, parent));
    }
}

/// Runs in the child. The order matters: cgroups, the namespace, rights over resources and the user id need root, the end with the
/// parent must be asked for after the user changed (the kernel forgets it then), and nothing may come after the
/// filter that the filter would hold up.
fn enter(setup: &Setup, parent: i32) -> io::Result<()> {
    default_signals();
    // SAFETY: setsid has no arguments. It makes the child leader of a session and a process group of its own.
    check(unsafe { libc::setsid() })?;
    if setup.terminal {
        // SAFETY: an ioctl with an integer argument; standard input is in place by now, as `Command` has it.
        check(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) })?;
    }
    for group in &setup.cgroups {
        // "0" stands for the process that writes.
        write_all(group.as_raw_fd(), b"0")?;
    }
    if let Some(namespace) = &setup.namespace {
        // One system call. A namespace that cannot be entered is an error and never passed over: what the container
        // is not to see or to write would be there.
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?;
    }
    // Best effort: a machine that does not let us must not keep tools from running.
    let _ = write_file(c"/proc/self/oom_score_adj", setup.oom_score_adj);
    limit(libc::RLIMIT_CORE, 0, 0)?;
    limit(libc::RLIMIT_NOFILE, setup.open_files.0, setup.open_files.1)?;
    // SAFETY: umask has no failure and touches no memory.
    unsafe { libc::umask(0o022) };
    if let Some(credentials) = &setup.credentials {
        become_user(credentials)?;
    }
    // SAFETY: prctl with integer arguments; unused ones are zero as the kernel asks.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    // SAFETY: as above.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
    // The parent may have died before the line above; then nobody would ever end this child.
    // SAFETY: getppid has no arguments and cannot fail.
    if unsafe { libc::getppid() } != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: the pointer is to a string that ends in zero and lives as long as `setup`.
    check(unsafe { libc::chdir(setup.folder.as_ptr()) })?;
    if let Some(socket) = &setup.listener_to {
        let listener = seccomp::install()?;
        send_descriptor(socket.as_raw_fd(), listener)?;
    }
    // Everything but the standard streams closes at exec. Not at once: the standard library still needs its pipe to
    // tell the parent how exec went.
    // SAFETY: close_range with integer arguments only marks descriptors.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Ok(())
}

/// The highest number of a signal, on every Linux that we run on.
const LAST_SIGNAL: libc::c_int = 64;

/// The kernel's `struct sigaction`, with room for every architecture's: all zero it stands for the default.
static DEFAULT_ACTION: [u64; 4] = [0; 4];

/// Signals that the node ignores would stay ignored in the child. Not through the C library, which guards two of
/// them for itself. SIGKILL and SIGSTOP cannot be changed and are at their default. The mask is cleared by the
/// standard library.
fn default_signals() {
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: the kernel reads one action from the static and writes none; the last argument is the size of its
        // set of signals in bytes. The default disposition runs no code of ours.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT_ACTION.as_ptr(),
                ptr::null::<u64>(),
                8usize,
            )
        };
    }
}

fn become_user(credentials: &Credentials) -> io::Result<()> {
    // SAFETY: the pointer and length are of a slice that lives as long as `credentials`.
    check(unsafe { libc::setgroups(credentials.groups.len(), credentials.groups.as_ptr()) })?;
    // SAFETY: integer arguments.
    check(unsafe { libc::setresgid(credentials.gid, credentials.gid, credentials.gid) })?;
    // SAFETY: integer arguments.
    check(unsafe { libc::setresuid(credentials.uid, credentials.uid, credentials.uid) })
}

#[cfg(target_env = "musl")]
type Resource = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Resource = libc::__rlimit_resource_t;

fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let limits = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: the pointer is to a complete structure on this stack.
    check(unsafe { libc::setrlimit(resource, &raw const limits) })
}

fn write_file(path: &std::ffi::CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the path ends in zero and is static.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    check(file)?;
    let written = write_all(file, bytes);
    // SAFETY: the descriptor was opened above and is used nowhere else.
    unsafe { libc::close(file) };
    written
}

fn write_all(file: RawFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are of one slice. The kernel's control files take a value whole or not at all.
    let written = unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
    if written < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Room for one control message with one descriptor: header and data, each aligned to the header's words.
const CONTROL_BYTES: usize = 32;
/// Size of a descriptor.
#[expect(clippy::cast_possible_truncation, reason = "four bytes")]
const DESCRIPTOR_BYTES: u32 = size_of::<RawFd>() as u32;

#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// Sends a descriptor through a socket, from a child that may not allocate.
fn send_descriptor(socket: RawFd, descriptor: RawFd) -> io::Result<()> {
    let mut byte = [0u8; 1];
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: byte.len(),
    };
    let mut control = Control([0; CONTROL_BYTES]);
    // SAFETY: msghdr is plain data for which zeroes are valid; every pointer set below is to this stack frame and
    // outlives the call. CMSG_SPACE of one int is at most CONTROL_BYTES (checked below), so the header and the
    // descriptor lie inside `control`, which is aligned for them.
    unsafe {
        let size = libc::CMSG_SPACE(DESCRIPTOR_BYTES) as usize;
        if size > CONTROL_BYTES {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control.0).cast();
        message.msg_controllen = size as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(DESCRIPTOR_BYTES) as _;
        libc::CMSG_DATA(header)
            .cast::<RawFd>()
            .write_unaligned(descriptor);
        if libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
