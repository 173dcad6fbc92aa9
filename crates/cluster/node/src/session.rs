//! The open ends of a command or a container: what a runtime hands to those who bring a client to it.

use std::fmt;

use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use tokio::io::AsyncWrite;
use toolforge_streams::Size;

/// What a program writes, piece by piece, until nobody can write it any more.
pub type Output = BoxStream<'static, Bytes>;
/// What a program reads.
pub type Input = Box<dyn AsyncWrite + Send + Unpin>;
/// Gives a terminal another size.
pub type Resizer = Box<dyn Fn(Size) + Send + Sync>;

/// A command that runs inside a container, or the container itself. What is dropped of it is closed: input ends, a
/// terminal hangs up, output finds nobody.
pub struct Session {
    /// What it reads.
    pub stdin: Option<Input>,
    /// What it writes; all of it, where there is a terminal.
    pub stdout: Option<Output>,
    /// What it writes as errors.
    pub stderr: Option<Output>,
    /// Gives its terminal another size.
    pub resize: Option<Resizer>,
    /// Its exit code, once it has ended; 128 and the signal's number when a signal ended it.
    pub ended: BoxFuture<'static, i32>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("stdin", &self.stdin.is_some())
            .field("stdout", &self.stdout.is_some())
            .field("stderr", &self.stderr.is_some())
            .field("terminal", &self.resize.is_some())
            .finish_non_exhaustive()
    }
}
