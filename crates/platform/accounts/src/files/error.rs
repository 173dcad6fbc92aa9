//! Why file work did not succeed, and what may be done about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use crate::election::NotLeading;

/// What helps root, whom a disk of this host refuses nothing but what is immutable. Short: what is published of a reason is cut.
const AS_ROOT: &str = "if this is NFS with root_squash, export it to this host with no_root_squash, or run the service as the \
    owner of the files; if not, look for an immutable attribute (lsattr)";

/// What helps everybody else.
const AS_OTHERS: &str =
    "give that user the right to it, or run the service as the owner of the files or as root";

/// Why file work did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// A link, or something else that is no folder or no plain file, is in the way.
    #[error("{} is {what}; remove it, it is neither followed nor replaced", path.display())]
    InTheWay { path: PathBuf, what: &'static str },
    /// A file is larger than anything it should be.
    #[error("{} is larger than {limit_bytes} bytes", path.display())]
    TooLarge { path: PathBuf, limit_bytes: u64 },
    /// Somebody else has the lock of a file, and keeps it.
    #[error("{} is there, so somebody is changing the file; remove it when nobody is", path.display())]
    Locked { path: PathBuf },
    /// This replica is not the leader any more.
    #[error(transparent)]
    NotLeading(#[from] NotLeading),
    /// What was opened is not there any more: the file server has something else in its place. Opened anew, it may work.
    #[error(
        "cannot {step} {}, which was replaced on its file server again and again; when it stays so, mount the file system anew",
        path.display()
    )]
    Stale {
        step: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The system does not let us.
    #[error(
        "cannot {step} {}: user id {user} may not; {}",
        path.display(),
        if *user == 0 { AS_ROOT } else { AS_OTHERS }
    )]
    Refused {
        step: &'static str,
        path: PathBuf,
        /// Who we are.
        user: u32,
        #[source]
        source: io::Error,
    },
    /// The system cannot.
    #[error("cannot {step} {}", path.display())]
    Io {
        step: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl FileError {
    /// Of what the system says.
    pub(crate) fn of(step: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        match Errno::from_io_error(&source) {
            Some(Errno::STALE) => Self::Stale { step, path, source },
            Some(Errno::PERM | Errno::ACCESS) => Self::Refused {
                step,
                path,
                user: rustix::process::geteuid().as_raw(),
                source,
            },
            _ => Self::Io { step, path, source },
        }
    }

    /// Of what may fail, since it does not matter enough, only what went stale counts: that was not tried.
    pub(crate) fn forgive<T>(outcome: Result<T, Self>) -> Result<Option<T>, Self> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(error) if error.is_stale() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether it is what somebody put there, and can take away.
    pub(crate) fn is_in_the_way(&self) -> bool {
        matches!(
            self,
            Self::InTheWay { .. } | Self::TooLarge { .. } | Self::Locked { .. }
        )
    }

    /// Whether the same may work when all that was opened for it is opened anew.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Stale { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_path_who_we_are_and_the_way_out() {
        let path = Path::new("/data/project/alpha");
        for errno in [Errno::PERM, Errno::ACCESS] {
            let error = FileError::of("set owner and mode of", path, errno);
            let (text, user) = (error.to_string(), rustix::process::geteuid());
            assert!(
                text.contains("/data/project/alpha") && text.contains(&format!("user id {}", user.as_raw())),
                "{text}"
            );
            let way_out = if user.is_root() {
                "no_root_squash"
            } else {
                "as root"
            };
            assert!(text.contains(way_out), "{text}");
        }
        assert!(matches!(
            FileError::of("write", path, Errno::NOSPC),
            FileError::Io { .. }
        ));
    }

    #[test]
    fn only_what_is_opened_anew_may_work_at_once() {
        let of = |errno: Errno| FileError::of("read", Path::new("/x"), errno).is_stale();
        assert!(of(Errno::STALE) && !of(Errno::IO) && !of(Errno::PERM));
    }
}
