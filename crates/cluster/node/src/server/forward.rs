//! `/portForward`: connections to the ports of a Pod.

use std::{net::Ipv4Addr, time::Duration};

use axum::{
    extract::{Path, RawQuery, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use toolforge_streams::{Forward, ForwardConnection, Incoming, Outgoing, accept_forwards};

use super::{
    Server,
    answer::{failed, refused, switched},
    query::Pairs,
    silence::Silence,
};
use crate::runtime::Runtime;

/// How long a program of this machine may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 32 << 10;
/// How many connections one client may have at a time.
const MOST_CONNECTIONS: usize = 256;

/// Whose ports they are, for messages and for connections.
#[derive(Debug, Clone)]
struct Target {
    namespace: String,
    pod: String,
    address: Ipv4Addr,
}

pub(super) async fn forward<R: Runtime>(
    State(server): State<Server<R>>,
    Path((namespace, pod)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    mut request: Request,
) -> Response {
    let Some(address) = server.runtime.address(&namespace, &pod) else {
        return if server.knows(&namespace, &pod).await {
            failed(format!("pod not running: {pod}_{namespace}"))
        } else {
            (StatusCode::NOT_FOUND, "pod does not exist").into_response()
        };
    };
    let ports = Pairs::parse(query.as_deref().unwrap_or_default()).all("port");
    match accept_forwards(&mut request, &ports) {
        Ok((response, connection)) => {
            let target = Target {
                namespace,
                pod,
                address,
            };
            tokio::spawn(serve(connection, target, server.session_silence, server.shutdown));
            switched(response)
        }
        Err(refusal) => refused(&refusal),
    }
}

async fn serve(
    connection: ForwardConnection,
    target: Target,
    longest_silence: Duration,
    shutdown: CancellationToken,
) {
    let mut forwards = match connection.open().await {
        Ok(forwards) => forwards,
        Err(problem) => return tracing::debug!(%problem, "a port-forward does not open"),
    };
    let gone = forwards.gone();
    let silence = Silence::begin();
    let mut connections = JoinSet::new();
    let mut more = true;
    loop {
        tokio::select! {
            () = gone.cancelled() => return,
            () = shutdown.cancelled() => return,
            () = silence.long(longest_silence) => break,
            forward = forwards.next(), if more && connections.len() < MOST_CONNECTIONS => match forward {
                Some(forward) => {
                    silence.broken();
                    connections.spawn(one(forward, target.clone(), silence.clone()));
                }
                None => more = false,
            },
            Some(_) = connections.join_next() => {}
            else => break,
        }
    }
    forwards.close().await;
}

/// One connection, from its beginning to its end.
async fn one(forward: Forward, target: Target, silence: Silence) {
    let Forward {
        port,
        incoming,
        outgoing,
        error,
    } = forward;
    let connected = timeout(CONNECT, TcpStream::connect((target.address, port))).await;
    let problem = match connected {
        Ok(Ok(stream)) => {
            // Small pieces go out at once; failing to say so costs only time.
            let _ = stream.set_nodelay(true);
            let (reader, writer) = stream.into_split();
            relay(reader, writer, (incoming, &outgoing), &silence).await.err()
        }
        Ok(Err(problem)) => Some(problem),
        Err(_) => Some(std::io::ErrorKind::TimedOut.into()),
    };
    if let Some(problem) = problem {
        let Target { namespace, pod, .. } = target;
        let words = format!("error forwarding port {port} to pod {namespace}/{pod}: {problem}");
        // A client that is gone needs no words.
        let _ = error.send(Bytes::from(words)).await;
    }
    outgoing.finish().await;
    error.finish().await;
}

/// Passes bytes both ways until the program has said all, or the client wants no more.
async fn relay(
    mut reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    (incoming, outgoing): (Incoming, &Outgoing),
    silence: &Silence,
) -> std::io::Result<()> {
    let to_program = tokio::spawn(send(incoming, writer, silence.clone()));
    let from_program = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(CHUNK_BYTES);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            silence.broken();
            if outgoing.send(buffer.split().freeze()).await.is_err() {
                return Ok(());
            }
        }
    };
    let end = tokio::select! {
        end = from_program => end,
        () = outgoing.gone() => Ok(()),
    };
    to_program.abort();
    end
}

async fn send(mut incoming: Incoming, mut writer: OwnedWriteHalf, silence: Silence) {
    while let Some(bytes) = incoming.next().await {
        silence.broken();
        // The program does not read any more; what it still says is passed on.
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}
