//! One connection: messages in, messages out, and the limits on both.
//!
//! Started by `server.rs`; what a message means is for `session.rs`. Whatever a peer sends or does not read, the
//! worst is the end of its own connection.

use std::{sync::Arc, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use ldap3_proto::{DisconnectionNotice, LdapCodec, LdapMsg, proto::LdapResultCode};
use tokio::{io::AsyncWrite, net::TcpStream, sync::mpsc};
use tokio_rustls::server::TlsStream;
use tokio_util::{
    codec::{FramedRead, FramedWrite},
    sync::CancellationToken,
};

use crate::{server::Shared, session::Session};

/// The largest message that is read: a group of several thousand members fits.
const LARGEST_MESSAGE_BYTES: usize = 1 << 20;

/// Nesting of a message; filters have a limit of their own.
const DEEPEST_MESSAGE: usize = 100;

/// Messages that wait for a slow reader before the session waits itself.
const OUTGOING: usize = 64;

/// How long a peer may take no byte of what is sent to it.
const STALLED: Duration = Duration::from_mins(1);

/// How long the last answers may take to go out when the server stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves one connection until either side ends it.
pub(crate) async fn run(stream: TlsStream<TcpStream>, shared: Arc<Shared>, shutdown: CancellationToken) {
    let (read, write) = tokio::io::split(stream);
    let incoming = FramedRead::new(read, codec());
    let (out, waiting) = mpsc::channel(OUTGOING);
    let mut sender = tokio::spawn(send_all(FramedWrite::new(write, codec()), waiting));
    let session = Session::new(shared, out.clone());
    // Whatever the session waits for, a stop does not wait for it: what was not answered was not promised.
    shutdown
        .run_until_cancelled(receive(incoming, session, &out))
        .await;
    drop(out);
    let patience = if shutdown.is_cancelled() {
        FAREWELL
    } else {
        STALLED
    };
    if tokio::time::timeout(patience, &mut sender).await.is_err() {
        sender.abort();
    }
}

/// Reads and writes messages within the limits.
pub(crate) fn codec() -> LdapCodec {
    LdapCodec::new(Some(LARGEST_MESSAGE_BYTES), Some(DEEPEST_MESSAGE))
}

async fn receive<R>(mut incoming: FramedRead<R, LdapCodec>, mut session: Session, out: &mpsc::Sender<LdapMsg>)
where
    R: tokio::io::AsyncRead + Unpin,
{
    loop {
        match tokio::time::timeout(session.idle(), incoming.next()).await {
            Ok(Some(Ok(message))) => {
                if !session.handle(message).await {
                    return;
                }
            }
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "a client of the directory sent what is not LDAP");
                let notice =
                    DisconnectionNotice::gen_response(LdapResultCode::ProtocolError, "not an LDAP message");
                // The peer may be gone already.
                let _ = out.send(notice).await;
                return;
            }
            Ok(None) | Err(_) => return,
        }
    }
}

async fn send_all<W>(mut framed: FramedWrite<W, LdapCodec>, mut waiting: mpsc::Receiver<LdapMsg>)
where
    W: AsyncWrite + Unpin,
{
    while let Some(message) = waiting.recv().await {
        let last = waiting.is_empty();
        let send = async {
            framed.feed(message).await?;
            if last { framed.flush().await } else { Ok(()) }
        };
        if !matches!(tokio::time::timeout(STALLED, send).await, Ok(Ok(()))) {
            return;
        }
    }
    // The peer may have gone first.
    let _ = framed.close().await;
}
