//! Asks one webservice whether it lives: whether it takes a connection, or whether it answers a request as well.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{limits::STATUS_LINE_BYTES, registration::Failure};

/// Whether a webservice lives. With a path it does when it answers a GET with anything below 500.
pub(crate) async fn ask(address: SocketAddr, path: Option<&str>, patience: Duration) -> Result<(), Failure> {
    let failure = |reason: String, is_silent| Failure { reason, is_silent };
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        match path {
            Some(path) => ask_over_http(&mut stream, address, path).await.map(Some),
            None => Ok(None),
        }
    };
    match timeout(patience, asking).await {
        Err(_) => Err(failure("it does not answer in time".to_owned(), true)),
        Ok(Err(error)) => Err(failure(error.to_string(), is_silence(&error))),
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(answer))) => match status(&answer) {
            Some(200..=499) => Ok(()),
            Some(status) => Err(failure(format!("it answers {status}"), false)),
            None => Err(failure("its answer is no HTTP".to_owned(), false)),
        },
    }
}

/// Whether nothing at all came back. A machine that refuses a connection is there.
fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, UnexpectedEof};
    !matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | ConnectionAborted | UnexpectedEof
    )
}

async fn ask_over_http(stream: &mut TcpStream, address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: toolforge-registrations\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut bounded = stream.take(STATUS_LINE_BYTES as u64);
    while !answer.contains(&b'\n') && bounded.read_buf(&mut answer).await? > 0 {}
    Ok(answer)
}

/// The status of an answer in HTTP/1.
fn status(answer: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(answer.split(|byte| *byte == b'\n').next()?).ok()?;
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let code = words.next()?.trim_end();
    code.parse().ok().filter(|_| code.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn status_is_read_of_http_and_nothing_else() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n", Some(200)),
            ("HTTP/1.0 503\r\n", Some(503)),
            ("HTTP/1.1 404 Not Found\r\nX: y\r\n", Some(404)),
            ("HTTP/2 200\r\n", None),
            ("HTTP/1.1 20 OK\r\n", None),
            ("HTTP/1.1 +20 OK\r\n", None),
            ("SSH-2.0-OpenSSH\r\n", None),
            ("", None),
        ] {
            assert_eq!(
                status(answer.as_bytes()).filter(|code| *code >= 100),
                expected,
                "{answer:?}"
            );
        }
        assert_eq!(status(b"\xff\xff\n"), None);
    }
}
