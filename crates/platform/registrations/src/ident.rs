//! Whose a connection is, as the machine that it comes from says (RFC 1413, the identification protocol).
//!
//! What a machine says is worth as much as the machine: only those of networks that the operator names are asked.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::limits::{IDENT_REPLY_BYTES, IDENT_TIMEOUT};

/// The port of ident.
pub const IDENT_PORT: u16 = 113;

/// Why it is not known whose a connection is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentError {
    #[error("its machine cannot be asked")]
    Unreachable(#[source] io::Error),
    #[error("its machine gave no answer in time")]
    Timeout,
    #[error("its machine answered {0:?}")]
    Answer(String),
}

/// The user who holds the other end of a connection, of which `local` is ours.
pub(crate) async fn user_of(peer: SocketAddr, local: SocketAddr, port: u16) -> Result<String, IdentError> {
    let asking = timeout(IDENT_TIMEOUT, ask(peer, local, port)).await;
    let reply = asking
        .map_err(|_| IdentError::Timeout)?
        .map_err(IdentError::Unreachable)?;
    match read_reply(&reply, peer.port(), local.port()) {
        Some(user) => Ok(user.to_owned()),
        None => Err(IdentError::Answer(
            String::from_utf8_lossy(&reply).trim().to_owned(),
        )),
    }
}

async fn ask(peer: SocketAddr, local: SocketAddr, port: u16) -> io::Result<Vec<u8>> {
    let mut stream = connect(local, SocketAddr::new(peer.ip(), port)).await?;
    let question = format!("{},{}\n", peer.port(), local.port());
    stream.write_all(question.as_bytes()).await?;
    let mut reply = Vec::with_capacity(128);
    let mut bounded = stream.take(IDENT_REPLY_BYTES as u64);
    while !reply.contains(&b'\n') && bounded.read_buf(&mut reply).await? > 0 {}
    Ok(reply)
}

/// From the address that the client has reached us at: its machine looks for a connection between these two.
async fn connect(local: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if local.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind(SocketAddr::new(local.ip(), 0))?;
    socket.connect(to).await
}

/// The user in a reply: `PORT , PORT : USERID : SYSTEM : USER`, about this pair of ports. `None` for every other answer.
pub fn read_reply(reply: &[u8], peer_port: u16, local_port: u16) -> Option<&str> {
    let line = reply.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut fields = line.splitn(4, ':').map(str::trim);
    let (theirs, ours) = fields.next()?.split_once(',')?;
    let is = |text: &str, port: u16| text.trim().parse() == Ok(port);
    if !is(theirs, peer_port) || !is(ours, local_port) || fields.next()? != "USERID" {
        return None;
    }
    fields.next()?;
    // The original takes what follows the last colon, the standard what follows the third: where they differ, it is neither.
    fields
        .next()
        .filter(|user| !user.is_empty() && !user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::read_reply;

    #[test]
    fn only_a_user_of_this_very_connection_is_one() {
        for (reply, user) in [
            (
                "6193, 8282 : USERID : UNIX : tools.alpha\r\n",
                Some("tools.alpha"),
            ),
            ("6193,8282:USERID:UNIX:tools.alpha", Some("tools.alpha")),
            (
                "6193 , 8282 : USERID : UNIX,UTF-8 : tools.alpha\nmore",
                Some("tools.alpha"),
            ),
            ("6193, 8282 : USERID : OTHER : [x]\r\n", Some("[x]")),
            ("6193, 8282 : ERROR : NO-USER\r\n", None),
            ("6193, 8282 : ERROR : HIDDEN-USER : USERID\r\n", None),
            ("6193, 8283 : USERID : UNIX : tools.alpha\r\n", None),
            ("6194, 8282 : USERID : UNIX : tools.alpha\r\n", None),
            ("8282, 6193 : USERID : UNIX : tools.alpha\r\n", None),
            ("6193, 8282 : USERID : UNIX : x:tools.alpha\r\n", None),
            ("6193, 8282 : USERID : UNIX : \r\n", None),
            ("6193, 8282 : USERID : UNIX\r\n", None),
            ("6193, 8282 : userid : UNIX : tools.alpha\r\n", None),
            ("USERID : tools.alpha\r\n", None),
            ("\n6193, 8282 : USERID : UNIX : tools.alpha\r\n", None),
            ("", None),
        ] {
            assert_eq!(read_reply(reply.as_bytes(), 6193, 8282), user, "{reply:?}");
        }
        assert_eq!(
            read_reply(b"6193, 8282 : USERID : UNIX : \xff\r\n", 6193, 8282),
            None
        );
    }
}
