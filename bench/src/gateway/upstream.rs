//! The web servers behind all three proxies: HTTP/1.1 with kept-alive connections on a thread of their own, with as
//! little work as an answer can be. Their answers say which of them answered.

use std::{net::TcpListener, sync::Arc, thread};

use anyhow::Context as _;
use memchr::{memchr, memmem};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Bytes of the usual answer.
const SMALL: usize = 200;
/// Bytes of the answer at [`LARGE_PATH`].
pub(super) const LARGE: usize = 1 << 20;
/// Where large answers are.
pub(super) const LARGE_PATH: &str = "/large";
/// Bytes of the answer at [`TEXT_PATH`]: a long article with its markup.
const TEXT: usize = 64 << 10;
/// Where there is something to compress.
pub(super) const TEXT_PATH: &str = "/text";
/// The header that says which port answered.
pub(super) const ANSWERED_BY: &str = "x-upstream";
/// How much of a body is read at a time.
const PIECE: usize = 64 << 10;

/// Servers that run until this is dropped.
pub(super) struct Upstream {
    ports: Vec<u16>,
    _running: DropGuard,
}

impl Upstream {
    /// So many servers, each on a port of its own.
    pub(super) fn start(servers: usize) -> anyhow::Result<Self> {
        let listeners = (0..servers)
            .map(|_| {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let ports = listeners
            .iter()
            .map(|listener| Ok(listener.local_addr()?.port()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let stop = CancellationToken::new();
        let token = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new().name("upstream".into()).spawn(move || {
            runtime.block_on(async {
                for listener in listeners {
                    // Nothing of it can fail that has not failed before.
                    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                        tokio::spawn(accept(listener));
                    }
                }
                token.cancelled().await;
            });
        })?;
        Ok(Self {
            ports,
            _running: stop.drop_guard(),
        })
    }

    /// Their ports.
    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// The port of the server of this number.
    pub(super) fn port_of(&self, number: usize) -> u16 {
        self.ports[number % self.ports.len()]
    }
}

async fn accept(listener: tokio::net::TcpListener) {
    let Ok(port) = listener.local_addr().map(|address| address.port()) else {
        return;
    };
    let answers = Arc::new(Answers::of(port));
    while let Ok((stream, _)) = listener.accept().await {
        let answers = answers.clone();
        tokio::spawn(async move {
            // A connection that breaks is the proxy's business, and seen by who asked it.
            serve(stream, &answers).await.ok();
        });
    }
}

struct Answers {
    small: Vec<u8>,
    large: Vec<u8>,
    text: Vec<u8>,
}

impl Answers {
    fn of(port: u16) -> Self {
        Self {
            small: answer(port, &[b'a'; SMALL]),
            large: answer(port, &vec![b'a'; LARGE]),
            text: answer(port, text().as_bytes()),
        }
    }

    /// The answer to the request with this head.
    fn to(&self, head: &[u8]) -> &[u8] {
        let is_for = |path: &str| head.starts_with(format!("GET {path} ").as_bytes());
        if is_for(LARGE_PATH) {
            &self.large
        } else if is_for(TEXT_PATH) {
            &self.text
        } else {
            &self.small
        }
    }
}

/// A page that is compressed to about a quarter, as pages are: a table whose words and numbers come back in no order.
fn text() -> String {
    const WORDS: [&str; 16] = [
        "article",
        "edits",
        "namespace",
        "of the",
        "page views",
        "revision",
        "user",
        "talk",
        "category",
        "redirect",
        "from",
        "language",
        "archive",
        "links to",
        "template",
        "statistics",
    ];
    // Knuth's generator of numbers, whose upper bits are good enough for words.
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 40
    };
    let line = || {
        let [one, two, three] =
            [next(), next(), next()].map(|number| WORDS[usize::from((number & 15) as u8)]);
        let number = next();
        format!(
            "<tr><td class=\"number\">{number}</td><td><a href=\"/wiki/{one}\">{one} {two}</a> {three}</td></tr>\n"
        )
    };
    // No line is shorter than its markup.
    let mut text: String = std::iter::repeat_with(line).take(TEXT / 60).collect();
    text.truncate(TEXT);
    text
}

/// An answer as a tool's web server gives it.
fn answer(port: u16, body: &[u8]) -> Vec<u8> {
    let bytes = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nServer: tool\r\nContent-Type: text/html; \
         charset=utf-8\r\nContent-Length: {bytes}\r\nCache-Control: no-cache\r\nETag: \"5f3a-1c\"\r\nLast-Modified: Wed, 25 \
         Nov 2026 08:00:00 GMT\r\n{ANSWERED_BY}: {port}\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    answer.extend(body);
    answer
}

async fn serve(mut stream: TcpStream, answers: &Answers) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(PIECE);
    loop {
        let end = loop {
            if let Some(end) = memmem::find(&received, b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        };
        let head = &received[..end];
        let answer = answers.to(head);
        let body = Body::of(head)?;
        let closes = field(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        received.drain(..end);
        body.swallow(&mut stream, &mut received).await?;
        stream.write_all(answer).await?;
        if closes {
            return Ok(());
        }
    }
}

/// Where the body of a request ends.
enum Body {
    Bytes(usize),
    Chunks,
}

impl Body {
    fn of(head: &[u8]) -> anyhow::Result<Self> {
        if field(head, "transfer-encoding").is_some() {
            return Ok(Self::Chunks);
        }
        let length = field(head, "content-length")
            .map(|value| std::str::from_utf8(value)?.parse().context("not a length"))
            .transpose()?;
        Ok(Self::Bytes(length.unwrap_or(0)))
    }

    async fn swallow(self, stream: &mut TcpStream, received: &mut Vec<u8>) -> anyhow::Result<()> {
        match self {
            Self::Bytes(mut left) => loop {
                let some = left.min(received.len());
                received.drain(..some);
                left -= some;
                if left == 0 {
                    return Ok(());
                }
                stream.read_buf(received).await?;
            },
            // The bench sends one letter over and over, so the last chunk looks like nothing before it.
            Self::Chunks => {
                while !received.ends_with(b"\r\n0\r\n\r\n") {
                    let most = received.len().saturating_sub(7);
                    received.drain(..most);
                    stream.read_buf(received).await?;
                }
                received.clear();
                Ok(())
            }
        }
    }
}

/// The value of a field.
fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = memchr(b':', line)?;
        let is_it = line[..colon].eq_ignore_ascii_case(name.as_bytes());
        is_it.then(|| line[colon + 1..].trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_fields() {
        let head = b"POST / HTTP/1.1\r\nHost: a:1\r\ncontent-LENGTH:  17 \r\n\r\n";
        assert_eq!(field(head, "content-length"), Some(&b"17"[..]));
        assert_eq!(field(head, "host"), Some(&b"a:1"[..]));
        assert_eq!(field(head, "connection"), None);
    }
}
