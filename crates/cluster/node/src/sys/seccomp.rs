//! Seccomp user notification: a filter that hands every `bind` to the node, and the conversation about them.
//!
//! The kernel's side is described in `seccomp_unotify(2)`. A container's first process installs the filter
//! ([`install`], in the child after fork); all that it starts inherits it, so one listener serves the container.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd},
};

/// One `bind` that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindCall {
    /// The kernel's number of this notification.
    pub(crate) id: u64,
    /// The thread that called.
    pub(crate) thread: u32,
    /// Its socket.
    pub(crate) socket: RawFd,
    /// Where in its memory the address lies.
    pub(crate) address: u64,
    /// How long the address is, in bytes.
    pub(crate) length: u64,
}

/// What the caller gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel does what it was asked, as if there were no filter.
    Continue,
    /// It was done for the caller.
    Done,
    /// The call fails with this error number.
    Fail(i32),
}

#[cfg(target_arch = "x86_64")]
mod arch {
    /// `AUDIT_ARCH_X86_64`: `EM_X86_64`, 64 bit, little endian.
    pub(super) const NATIVE: u32 = 0xC000_003E;
    /// `bind` for 32-bit programs on this machine.
    pub(super) const COMPAT_BIND: u32 = 361;
    /// `bind` for programs of the x32 interface.
    pub(super) const OTHER_BIND: u32 = 0x4000_0000 + 49;
}
#[cfg(target_arch = "aarch64")]
mod arch {
    /// `AUDIT_ARCH_AARCH64`: `EM_AARCH64`, 64 bit, little endian.
    pub(super) const NATIVE: u32 = 0xC000_00B7;
    /// `bind` for 32-bit programs on this machine.
    pub(super) const COMPAT_BIND: u32 = 282;
    /// There is no third interface.
    pub(super) const OTHER_BIND: u32 = 200;
}

#[expect(clippy::cast_possible_truncation, reason = "system call numbers are small")]
const BIND: u32 = libc::SYS_bind as u32;
/// Offsets in the kernel's `struct seccomp_data`.
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;

#[expect(clippy::cast_possible_truncation, reason = "classic BPF codes fit 16 bits")]
const fn load(at: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: at,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "classic BPF codes fit 16 bits")]
const fn equals(value: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt,
        jf,
        k: value,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "classic BPF codes fit 16 bits")]
const fn answer(value: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: value,
    }
}

/// `bind` of every calling convention goes to the node, everything else runs as ever. Jumps count the instructions
/// that they skip.
static FILTER: [libc::sock_filter; 9] = [
    /* 0 */ load(ARCH_AT),
    /* 1 */ equals(arch::NATIVE, 0, 3),
    /* 2 */ load(NUMBER_AT),
    /* 3 */ equals(BIND, 4, 0),
    /* 4 */ equals(arch::OTHER_BIND, 3, 2),
    /* 5 */ load(NUMBER_AT),
    /* 6 */ equals(arch::COMPAT_BIND, 1, 0),
    /* 7 */ answer(libc::SECCOMP_RET_ALLOW),
    /* 8 */ answer(libc::SECCOMP_RET_USER_NOTIF),
];

/// Whether the kernel knows user notification, with structures of the size that we know.
pub(crate) fn available() -> bool {
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: the kernel reads one u32 behind the pointer, which is to this stack.
    let known = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        ) == 0
    };
    let mut sizes = libc::seccomp_notif_sizes {
        seccomp_notif: 0,
        seccomp_notif_resp: 0,
        seccomp_data: 0,
    };
    // SAFETY: the kernel writes one seccomp_notif_sizes behind the pointer, which is to this stack.
    let told = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_NOTIF_SIZES,
            0,
            &raw mut sizes,
        ) == 0
    };
    known
        && told
        && usize::from(sizes.seccomp_notif) == size_of::<libc::seccomp_notif>()
        && usize::from(sizes.seccomp_notif_resp) == size_of::<libc::seccomp_notif_resp>()
}

/// Installs the filter in the calling process, which has given up new privileges, and returns its listener. Runs
/// between fork and exec: allocates nothing.
pub(super) fn install() -> io::Result<RawFd> {
    #[expect(clippy::cast_possible_truncation, reason = "nine instructions")]
    let program = libc::sock_fprog {
        len: FILTER.len() as u16,
        filter: FILTER.as_ptr().cast_mut(),
    };
    let attempt = |flags: libc::c_ulong| {
        // SAFETY: the program and its instructions outlive the call, and the kernel copies and does not change them.
        unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        }
    };
    // With the second flag (Linux 5.19) a signal does not make the caller start over; Go sends itself many.
    let flag = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let mut listener = attempt(flag | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    if listener < 0 {
        listener = attempt(flag);
    }
    if listener < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(listener).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))
}

/// Takes the next `bind`; blocks until there is one. `None` when a caller went away meanwhile.
pub(crate) fn receive(listener: &OwnedFd) -> io::Result<Option<BindCall>> {
    // SAFETY: seccomp_notif is plain data for which zeroes are valid, and the kernel demands zeroes.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one seccomp_notif of the size that `available` compared.
    let result = unsafe {
        libc::ioctl(
            listener.as_fd().as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_RECV as _,
            &raw mut call,
        )
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ENOENT | libc::EINTR) => Ok(None),
            _ => Err(error),
        };
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the kernel passes an int in a register"
    )]
    let socket = call.data.args[0] as u32;
    Ok(Some(BindCall {
        id: call.id,
        thread: call.pid,
        socket: socket.cast_signed(),
        address: call.data.args[1],
        length: call.data.args[2],
    }))
}

/// Whether the caller of a notification still waits: its process id has not become somebody else's.
pub(crate) fn still_waits(listener: &OwnedFd, id: u64) -> bool {
    // SAFETY: the kernel reads one u64 behind the pointer, which is to this stack.
    unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_ID_VALID as _,
            &raw const id,
        ) == 0
    }
}

/// Answers a `bind`. An error means that the caller no longer waits.
pub(crate) fn respond(listener: &OwnedFd, id: u64, answer: Answer) -> io::Result<()> {
    #[expect(clippy::cast_possible_truncation, reason = "the flag is 1")]
    let (error, flags) = match answer {
        Answer::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Done => (0, 0),
        Answer::Fail(number) => (-number, 0),
    };
    let response = libc::seccomp_notif_resp {
        id,
        val: 0,
        error,
        flags,
    };
    // SAFETY: the kernel reads one seccomp_notif_resp of the size that `available` compared.
    let result = unsafe {
        libc::ioctl(
            listener.as_raw_fd(),
            libc::SECCOMP_IOCTL_NOTIF_SEND as _,
            &raw const response,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
