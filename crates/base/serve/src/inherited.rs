//! Listening sockets that were there before the process: systemd's socket activation, `LISTEN_FDS` and `LISTEN_PID`.

use std::{ffi::OsStr, io, net::TcpListener, os::fd::RawFd};

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

/// The first of them (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// More are never meant.
const MOST: RawFd = 64;

/// The listening TCP sockets that this process was started with; those of other kinds stay where they are.
///
/// # Errors
/// When the variables say that there are some, and the system does not give them.
pub fn inherited() -> io::Result<Vec<TcpListener>> {
    let variable = |name: &str| std::env::var_os(name);
    let count = count(
        variable("LISTEN_PID").as_deref(),
        variable("LISTEN_FDS").as_deref(),
    );
    if count == 0 {
        return Ok(Vec::new());
    }
    // Copies, which unlike the first ones are not passed on to other programs.
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    let mut sockets = Vec::new();
    for number in FIRST..FIRST + count {
        let socket = pidfd_getfd(&own, number, PidfdGetfdFlags::empty())?;
        let listener = TcpListener::from(socket);
        if listener.local_addr().is_ok() {
            listener.set_nonblocking(true)?;
            sockets.push(listener);
        }
    }
    Ok(sockets)
}

/// How many there are, if they are meant for this process and not for the one that started it.
fn count(process: Option<&OsStr>, count: Option<&OsStr>) -> RawFd {
    let number = |text: Option<&OsStr>| text?.to_str()?.parse::<RawFd>().ok();
    if number(process) == Some(getpid().as_raw_nonzero().get()) {
        number(count).unwrap_or(0).clamp(0, MOST)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::count;

    #[test]
    fn only_what_is_meant_for_this_process_counts() {
        let own = std::process::id().to_string();
        let says = |process: &str, fds: &str| count(Some(OsStr::new(process)), Some(OsStr::new(fds)));
        assert_eq!(says(&own, "2"), 2);
        for (process, fds) in [("1", "2"), (&own, "-2"), (&own, "two"), ("", "2")] {
            assert_eq!(says(process, fds), 0, "{process} {fds}");
        }
        assert_eq!(says(&own, "1000000"), 64);
        assert_eq!(count(None, None), 0);
    }
}
