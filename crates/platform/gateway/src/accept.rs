//! From a listener to connections that HTTP can be spoken on: accepting, the TLS handshake, and the graceful end.
//!
//! What is spoken on them is `listen`'s business: it gets a stream, plain or TLS, and what is known of it.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{
    drain::{Drain, Ending},
    limits::{ACCEPT_PAUSE, HANDSHAKE_TIMEOUT, QUEUED_CONNECTIONS},
};

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionInfo {
    /// Who is at the other end, or behind it where a PROXY header says so; IPv4 addresses in their own form.
    pub(crate) peer: SocketAddr,
    /// What the handshake settled; `None` on plain connections.
    pub(crate) tls: Option<TlsFacts>,
}

/// What a TLS handshake settled.
#[derive(Clone, Debug)]
pub(crate) struct TlsFacts {
    /// What the peer wants to speak.
    pub(crate) protocol: Protocol,
    /// The host that the peer named, in lower case.
    pub(crate) server_name: Option<Box<str>>,
}

/// What is spoken on a connection: agreed on beforehand, so that nobody waits for first bytes to find it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl ConnectionInfo {
    fn of(peer: SocketAddr) -> Self {
        Self {
            peer: canonical(peer),
            tls: None,
        }
    }

    /// The address of the peer.
    pub(crate) fn address(&self) -> IpAddr {
        self.peer.ip()
    }

    /// What is spoken.
    pub(crate) fn protocol(&self) -> Protocol {
        self.tls.as_ref().map_or(Protocol::Http1, |tls| tls.protocol)
    }
}

impl TlsFacts {
    fn of(stream: &TlsStream<TcpStream>) -> Self {
        let (_, connection) = stream.get_ref();
        Self {
            protocol: match connection.alpn_protocol() {
                Some(b"h2") => Protocol::Http2,
                _ => Protocol::Http1,
            },
            server_name: connection.server_name().map(Box::from),
        }
    }
}

/// IPv4 addresses inside of IPv6 ones in their own form.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Opens every connection that comes in until the stop, also those that were in the queue then; what is under way may
/// finish.
pub(crate) async fn accept<O, F>(listener: TcpListener, ending: Ending, drain: Drain, open: O)
where
    O: Fn(TcpStream, ConnectionInfo) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let take = |stream: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>| {
        // Small answers go out at once; failing to say so costs only time.
        let _ = stream.set_nodelay(true);
        let info = ConnectionInfo::of(peer);
        connections.spawn(open(stream, info));
    };
    loop {
        let accepted = tokio::select! {
            () = ending.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => take(stream, peer, &mut connections),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    for (stream, peer) in queued(listener) {
        take(stream, peer, &mut connections);
    }
    ending.drain(connections, drain).await;
}

/// The connections that the system has taken for the listener, which closes: with it they would be reset, where nobody
/// else listens on the same socket.
fn queued(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let next = |listener: &std::net::TcpListener| {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok::<_, io::Error>((TcpStream::from_std(stream)?, peer))
    };
    let Ok(listener) = listener.into_std() else {
        return Vec::new();
    };
    (0..QUEUED_CONNECTIONS)
        .map_while(|_| next(&listener).ok())
        .collect()
}

/// The TLS handshake; `None` when it failed, took too long, or nobody waits for it any more.
pub(crate) async fn shake_hands(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    info: &mut ConnectionInfo,
    leaving: &CancellationToken,
) -> Option<TlsStream<TcpStream>> {
    let finished = tokio::select! {
        finished = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => finished,
        () = leaving.cancelled() => return None,
    };
    match finished {
        Ok(Ok(stream)) => {
            info.tls = Some(TlsFacts::of(&stream));
            Some(stream)
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("TLS handshake took too long");
            None
        }
    }
}
