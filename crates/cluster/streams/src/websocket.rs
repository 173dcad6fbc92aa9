//! WebSocket connections as they come out of an upgrade, and bytes that travel inside of one.

use std::io;

use bytes::Bytes;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _, future};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

/// Longest message that is taken from a client, in bytes: some send their whole input in one.
const MESSAGE_BYTES: usize = 16 << 20;

pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The server's end of a WebSocket.
pub(crate) async fn socket(upgraded: Upgraded) -> Socket {
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config())).await
}

/// What is taken from a client.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES))
}

/// The two directions of bytes that travel inside of a WebSocket, cut into messages anyhow.
pub(crate) fn bytes_inside(
    socket: Socket,
) -> (impl AsyncRead + Unpin + Send, impl AsyncWrite + Unpin + Send) {
    let (sink, stream) = socket.split();
    (
        StreamReader::new(payloads(stream)),
        SinkWriter::new(CopyToBytes::new(messages(sink))),
    )
}

fn payloads(
    stream: impl Stream<Item = Result<Message, Error>> + Unpin + Send,
) -> impl Stream<Item = io::Result<Bytes>> + Unpin + Send {
    Box::pin(stream.filter_map(|message| {
        future::ready(match message {
            Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
            Ok(Message::Text(text)) => Some(Ok(Bytes::from(text))),
            // Pings are answered below us; after a close nothing comes.
            Ok(_) => None,
            Err(error) => Some(Err(io::Error::other(error))),
        })
    }))
}

fn messages(
    sink: impl Sink<Message, Error = Error> + Unpin + Send,
) -> impl Sink<Bytes, Error = io::Error> + Unpin + Send {
    sink.sink_map_err(io::Error::other)
        .with(|bytes: Bytes| future::ready(Ok::<_, io::Error>(Message::Binary(bytes))))
}
