//! One process takes the listening sockets of another: over a Unix socket, with the right to them in its messages.
//!
//! The sockets stay the same, with what is in their queues, so that no connection is lost between the two. A server calls
//! [`Handover::take_over`] before it listens, and [`Handover::offer`] when it serves. It must not know what is served, and
//! it hands over nothing to other users of the machine.

use std::{
    fs,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpListener,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt as _,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg, sockopt,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::{UnixListener, UnixStream},
    time::timeout,
};

/// The most sockets of one process.
const SOCKETS: usize = 8;
/// What the sockets come with: the form of the conversation.
const OFFERED: &[u8; 10] = b"sockets 1\n";
/// What the one that took them says when it serves.
const SERVING: &[u8; 8] = b"serving\n";
/// What the other says when it takes no more connections.
const RELIEVED: &[u8; 9] = b"relieved\n";
/// How long another process may take for a message: it has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many others may be faster.
const TURNS: usize = 16;
/// How long a process waits until it gets the sockets: another one may have them, and not serve yet.
const TURN_PATIENCE: Duration = Duration::from_mins(1);

/// The place where processes meet: a Unix socket.
#[derive(Clone, Debug)]
pub struct Handover {
    path: PathBuf,
}

/// The process that serves until it is relieved.
#[derive(Debug)]
pub struct Predecessor {
    stream: UnixStream,
}

/// Sockets that wait for the next process. Dropped, nobody gets them any more.
#[derive(Debug)]
pub struct Offer {
    meeting: UnixListener,
    sockets: Vec<TcpListener>,
}

/// Why nothing is handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// Whoever is there does not say what was expected, or too late.
    #[error("the process at {path} hands over nothing")]
    Conversation {
        /// Where it is.
        path: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
    /// It belongs to somebody else.
    #[error("the process at {0} is another user's")]
    Stranger(PathBuf),
    /// The place cannot be made.
    #[error("the socket {path} cannot be made")]
    Place {
        /// Where.
        path: PathBuf,
        /// What went wrong.
        #[source]
        error: io::Error,
    },
}

impl Handover {
    /// At this path, of which the folder belongs to the server alone.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The sockets of the process that serves, and that process; `None` where there is none.
    ///
    /// # Errors
    /// When somebody is there and hands over nothing.
    pub async fn take_over(&self) -> Result<Option<(Vec<TcpListener>, Predecessor)>, HandoverError> {
        let mut turns = 0;
        loop {
            turns += 1;
            let Ok(stream) = UnixStream::connect(&self.path).await else {
                // Nobody is there; or there is a socket that a process left which has ended.
                return Ok(None);
            };
            if !is_trusted(&stream) {
                return Err(HandoverError::Stranger(self.path.clone()));
            }
            let received = timeout(TURN_PATIENCE, receive(&stream)).await;
            match received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(sockets) => return Ok(Some((sockets, Predecessor { stream }))),
                // Another process was faster, and is now in its place.
                Err(error) if is_end(&error) && turns < TURNS => {}
                Err(error) => {
                    return Err(HandoverError::Conversation {
                        path: self.path.clone(),
                        error,
                    });
                }
            }
        }
    }

    /// Offers these sockets to the next process that comes, in place of whoever offered some here before.
    ///
    /// # Errors
    /// When the socket cannot be made there.
    pub fn offer(&self, sockets: Vec<TcpListener>) -> Result<Offer, HandoverError> {
        let place = |error| HandoverError::Place {
            path: self.path.clone(),
            error,
        };
        let meeting = listen_at(&self.path).map_err(place)?;
        Ok(Offer { meeting, sockets })
    }
}

impl Predecessor {
    /// Tells it that somebody else serves; returns when it takes no more connections.
    ///
    /// # Errors
    /// When it has ended meanwhile, or does not answer: then it may serve on.
    pub async fn relieve(mut self) -> io::Result<()> {
        let mut answer = [0; RELIEVED.len()];
        self.stream.write_all(SERVING).await?;
        timeout(PATIENCE, self.stream.read_exact(&mut answer)).await??;
        if answer != *RELIEVED {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(())
    }
}

impl Offer {
    /// Returns when another process serves the sockets; `stop` is called before that one hears that it is alone.
    pub async fn taken(self, stop: impl FnOnce()) {
        loop {
            let Ok((stream, _)) = self.meeting.accept().await else {
                // Out of descriptors, as may pass; whoever came tries again.
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            match self.converse(stream).await {
                Ok(mut stream) => {
                    drop(self);
                    stop();
                    // It serves, whatever it hears.
                    let _ = stream.write_all(RELIEVED).await;
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "another process took the sockets and does not serve; this one does");
                }
            }
        }
    }

    /// Gives the sockets, and waits until they are served, for as long as that takes.
    async fn converse(&self, mut stream: UnixStream) -> io::Result<UnixStream> {
        if !is_trusted(&stream) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        send(&stream, &self.sockets).await?;
        let mut answer = [0; SERVING.len()];
        stream.read_exact(&mut answer).await?;
        if answer != *SERVING {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(stream)
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

/// Whether the other side is of the same user, or of root.
fn is_trusted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// A socket that is there under its name only when others may not connect to it.
fn listen_at(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let meeting = UnixListener::bind(&beside)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    fs::rename(&beside, path)?;
    Ok(meeting)
}

async fn send(stream: &UnixStream, sockets: &[TcpListener]) -> io::Result<()> {
    let sockets: Vec<BorrowedFd> = sockets
        .iter()
        .take(SOCKETS)
        .map(|socket| socket.as_fd())
        .collect();
    let sent = stream.async_io(Interest::WRITABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&sockets));
        let text = [IoSlice::new(OFFERED)];
        Ok(sendmsg(stream, &text, &mut rights, SendFlags::NOSIGNAL)?)
    });
    // A few bytes into an empty socket go whole.
    if sent.await? == OFFERED.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

async fn receive(stream: &UnixStream) -> io::Result<Vec<TcpListener>> {
    let received = stream.async_io(Interest::READABLE, || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut text = [0; OFFERED.len()];
        let mut texts = [IoSliceMut::new(&mut text)];
        let message = recvmsg(stream, &mut texts, &mut rights, RecvFlags::CMSG_CLOEXEC)?;
        let received: Vec<OwnedFd> = rights
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(received) => Some(received),
                _ => None,
            })
            .flatten()
            .collect();
        Ok((message.bytes, text, received))
    });
    let (count, text, received) = received.await?;
    match count {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ if text == *OFFERED => received.into_iter().map(listening).collect(),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// What was received, if it is a listening TCP socket.
fn listening(socket: OwnedFd) -> io::Result<TcpListener> {
    if !sockopt::socket_acceptconn(&socket)? {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let listener = TcpListener::from(socket);
    // Fails where it is not one of TCP.
    listener.local_addr()?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
