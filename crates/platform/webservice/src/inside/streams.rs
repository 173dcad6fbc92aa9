//! Standard input to a command, and what it says back: bytes as they are, as soon as they are there.

use std::io::{self, Read as _};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
};

use super::BUFFER;

/// How many pieces of input may wait.
const WAITING_PIECES: usize = 4;

/// Passes on what comes from a command until there is no more.
pub(super) async fn pass_out(
    from: Option<impl AsyncRead + Unpin>,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut piece = vec![0; BUFFER];
    loop {
        // A connection that breaks is no end that the command chose; its status will be missing.
        let length = from.read(&mut piece).await.unwrap_or_default();
        if length == 0 {
            return to.flush().await;
        }
        to.write_all(&piece[..length]).await?;
        to.flush().await?;
    }
}

/// Passes standard input on until it ends, then tells the command so.
pub(super) async fn pass_in(to: Option<impl AsyncWrite + Unpin>) {
    let Some(mut to) = to else { return };
    let mut pieces = read_input();
    while let Some(piece) = pieces.recv().await {
        if to.write_all(&piece).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    // The command may have ended.
    let _ = to.shutdown().await;
}

/// A thread of its own, for a read that waits cannot be taken back: it must not hold up the end of the program.
fn read_input() -> mpsc::Receiver<Vec<u8>> {
    let (say, said) = mpsc::channel(WAITING_PIECES);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut piece = vec![0; BUFFER];
        loop {
            match input.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => {
                    if say.blocking_send(piece[..length].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    said
}
