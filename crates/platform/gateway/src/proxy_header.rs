//! The PROXY header of connections that come through a proxy which writes one: read before anything else, and not a byte
//! further. `listen` asks for it where the settings say so.

use std::io;

use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;
use toolforge_proxy_protocol::{Header, HeaderError, read};

use crate::{
    accept::{ConnectionInfo, canonical},
    limits::PROXY_HEADER_TIMEOUT,
};

/// Bytes that are looked at once; nearly every header is shorter.
const LOOK_BYTES: usize = 256;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
enum NoHeader {
    #[error("the connection ended before it")]
    Ended,
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Takes the header off the connection and the addresses out of it; false when the connection is not to be served.
pub(crate) async fn take_header(
    stream: &mut TcpStream,
    info: &mut ConnectionInfo,
    leaving: &CancellationToken,
) -> bool {
    let proxy = info.peer;
    let taken = tokio::select! {
        taken = timeout(PROXY_HEADER_TIMEOUT, take(stream)) => taken,
        () = leaving.cancelled() => return false,
    };
    match taken {
        Ok(Ok(Header::Own)) => true,
        Ok(Ok(Header::Proxied(addresses))) => {
            info.peer = canonical(addresses.source);
            true
        }
        // What only looks whether somebody listens sends nothing.
        Ok(Err(NoHeader::Ended | NoHeader::Unreadable(_))) => false,
        Ok(Err(NoHeader::Header(problem))) => {
            tracing::warn!(%proxy, %problem, "a connection of a proxy is closed; have the proxy write PROXY headers, or take it out of proxyProtocol");
            false
        }
        Err(_) => {
            tracing::debug!(%proxy, "the PROXY header took too long");
            false
        }
    }
}

async fn take(stream: &mut TcpStream) -> Result<Header, NoHeader> {
    let mut taken = Vec::new();
    let mut look = [0; LOOK_BYTES];
    loop {
        let seen = stream.peek(&mut look).await?;
        if seen == 0 {
            return Err(NoHeader::Ended);
        }
        let before = taken.len();
        taken.extend_from_slice(&look[..seen]);
        // As long as the header is not whole, everything is a part of it.
        let (header, count) = match read(&taken)? {
            Some((header, length)) => (Some(header), length - before),
            None => (None, seen),
        };
        stream.read_exact(&mut look[..count]).await?;
        if let Some(header) = header {
            return Ok(header);
        }
    }
}
