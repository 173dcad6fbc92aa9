//! One connection: finds a target that takes it, says who it is for, and moves bytes both ways until both ends are done.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, copy_bidirectional_with_sizes},
    net::TcpStream,
    time::{sleep, timeout},
};
use toolforge_proxy_protocol::{Addresses, Header, write_v1, write_v2};

use crate::{
    limits::BUFFER_BYTES,
    pool::{Lease, Pool, Refused},
    settings::ProxyProtocol,
};

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CarryError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("this machine cannot connect: {0}")]
    Local(io::Error),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("nobody said anything for too long")]
    Idle,
}

/// Carries a connection to its end.
pub(crate) async fn carry(pool: Arc<Pool>, client: TcpStream, peer: SocketAddr) -> Result<(), CarryError> {
    let service = pool.service();
    let header = Header::Proxied(Addresses {
        source: canonical(peer),
        destination: canonical(client.local_addr()?),
    });
    let (mut server, _lease) = connect(&pool, service.connect_timeout()).await?;
    // What is small goes out at once; failing to say so costs only time.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    write_header(&mut server, service.proxy_protocol, &header).await?;
    let mut client = Watched::new(client);
    let moved = client.moved.clone();
    let mut server = Watched {
        stream: server,
        moved: moved.clone(),
    };
    tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER_BYTES, BUFFER_BYTES) => {
            copied?;
            Ok(())
        }
        () = silence(&moved, service.idle_timeout()) => Err(CarryError::Idle),
    }
}

/// A connection to the first target that takes it. One that does not is out from then on.
async fn connect(pool: &Arc<Pool>, patience: Duration) -> Result<(TcpStream, Lease), CarryError> {
    let mut tried = Vec::new();
    loop {
        let lease = pool.acquire(&tried).await?;
        match timeout(patience, TcpStream::connect(lease.address)).await {
            Ok(Ok(stream)) => return Ok((stream, lease)),
            Ok(Err(error)) if !is_of_target(&error) => return Err(CarryError::Local(error)),
            Ok(Err(_)) | Err(_) => {
                pool.connection_failed(lease.address);
                tried.push(lease.address);
            }
        }
    }
}

/// Whether a failed connection says something of the target, and not of this machine's limits.
pub(crate) fn is_of_target(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::TimedOut
    )
}

/// Writes a PROXY header where one is wanted.
pub(crate) async fn write_header(
    stream: &mut TcpStream,
    protocol: ProxyProtocol,
    header: &Header,
) -> io::Result<()> {
    match protocol {
        ProxyProtocol::None => Ok(()),
        ProxyProtocol::V1 => stream.write_all(&write_v1(header)).await,
        ProxyProtocol::V2 => stream.write_all(&write_v2(header)).await,
    }
}

/// IPv4 addresses inside of IPv6 ones in their own form.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Ends when nothing moved for one to two of `patience`.
async fn silence(moved: &AtomicBool, patience: Duration) {
    loop {
        sleep(patience).await;
        if !moved.swap(false, Ordering::Relaxed) {
            return;
        }
    }
}

/// A stream that notes when bytes come.
struct Watched {
    stream: TcpStream,
    moved: Arc<AtomicBool>,
}

impl Watched {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            moved: Arc::default(),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.moved.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
