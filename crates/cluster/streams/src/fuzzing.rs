//! Doors for the fuzz targets to the two protocols. Built with `--cfg fuzzing` only.

use std::io::{self, Cursor, Read, Write};

use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

use crate::channels::{Coding, decode};
use crate::spdy::Session;
use crate::websocket::config;

/// A client's side of a whole SPDY connection; every stream that it opens is read to its end.
///
/// # Panics
/// When no runtime can be made.
pub fn spdy(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        // What waits for a client that says nothing more does not hold up the next.
        .start_paused(true)
        .build()
        .expect("a runtime");
    let bytes = Cursor::new(bytes.to_vec());
    runtime.block_on(async {
        let Ok(mut session) = Session::start(bytes, tokio::io::sink()) else {
            return;
        };
        let gone = session.gone();
        while let Some(mut opened) = session.next().await {
            opened.headers.get("streamtype");
            tokio::spawn(async move {
                while opened.incoming.next().await.is_some() {}
                opened.outgoing.finish().await;
            });
        }
        gone.cancelled().await;
    });
}

/// A client's side of a WebSocket, and its messages as those of channels.
pub fn websocket(bytes: &[u8]) {
    let mut socket = WebSocket::from_raw_socket(Client(Cursor::new(bytes)), Role::Server, Some(config()));
    loop {
        let payload = match socket.read() {
            Ok(Message::Binary(bytes)) => bytes,
            Ok(Message::Text(text)) => text.into(),
            Ok(_) => continue,
            Err(_) => return,
        };
        for coding in [Coding::Binary, Coding::Base64] {
            decode(coding, payload.clone());
        }
    }
}

/// Says what it is given, and takes all answers.
struct Client<'a>(Cursor<&'a [u8]>);

impl Read for Client<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Client<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
