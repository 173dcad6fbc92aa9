//! The client's side of one connection to a proxy: plain or over TLS, HTTP/1.1, one request at a time.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, ensure};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::upstream::{ANSWERED_BY, LARGE, LARGE_PATH, TEXT_PATH};
use crate::client::{Head, Length, chunk};

/// How much is read at a time.
const PIECE: usize = 64 << 10;

/// What bytes go over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// How to get to a host.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) address: SocketAddr,
    /// `None`: without TLS.
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
}

impl Way {
    /// A connection to this host for HTTP/1.1.
    pub(super) async fn open(&self, host: &str) -> anyhow::Result<Wire> {
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(self.connect().await?),
            Some(_) => Box::new(self.open_tls(host).await?),
        };
        Ok(Wire {
            stream,
            received: Vec::new(),
            head: Vec::new(),
        })
    }

    /// A connection to this host over TLS, for whatever was agreed upon.
    pub(super) async fn open_tls(&self, host: &str) -> anyhow::Result<TlsStream<BufReader<TcpStream>>> {
        let tls = self.tls.clone().context("there is no TLS on this way")?;
        let name = ServerName::try_from(host.to_owned())?;
        // TLS asks for a few kilobytes at a time; the kernel is asked for more.
        let stream = BufReader::with_capacity(PIECE, self.connect().await?);
        Ok(TlsConnector::from(tls).connect(name, stream).await?)
    }

    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// A small page, on a connection that stays.
    Page,
    /// A small page, on a connection that ends with it.
    LastPage,
    /// A large answer.
    Download,
    /// A large request.
    Upload,
    /// A page of text in this coding.
    Text(&'static str),
}

impl Ask {
    /// The request with its body, as browsers send it; but with `Accept-Encoding` only where compression is measured.
    pub(super) fn request(self, host: &str) -> Vec<u8> {
        let (method, path, more, body) = match self {
            Self::Page => ("GET", "/", String::new(), 0),
            Self::LastPage => ("GET", "/", "connection: close\r\n".to_owned(), 0),
            Self::Download => ("GET", LARGE_PATH, String::new(), 0),
            Self::Text(coding) => ("GET", TEXT_PATH, format!("accept-encoding: {coding}\r\n"), 0),
            Self::Upload => ("POST", "/", format!("content-length: {LARGE}\r\n"), LARGE),
        };
        let fields = FIELDS.map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{}{more}\r\n",
            fields.concat()
        );
        let mut bytes = head.into_bytes();
        bytes.resize(bytes.len() + body, b'a');
        bytes
    }
}

/// What a browser says with each request.
pub(super) const FIELDS: [(&str, &str); 6] = [
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("accept-language", "en-US,en;q=0.5"),
    ("referer", "https://en.wikipedia.org/wiki/Main_Page"),
    ("cookie", "session=4f1c9a7be2d85306; theme=dark"),
    ("sec-fetch-mode", "navigate"),
];

/// A connection. After an error it is of no use.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    /// The head of the last answer.
    head: Vec<u8>,
}

impl Wire {
    /// Sends a request and reads the whole answer, which must be a good one.
    pub(super) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let status = self.ask_for_any(request).await?;
        ensure!(status == 200, "the answer has status {status}");
        Ok(())
    }

    /// The same for an answer of any status, which is given back.
    pub(super) async fn ask_for_any(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let head = loop {
            if let Some(head) = Head::read(&self.received)? {
                break head;
            }
            self.receive().await?;
        };
        self.head.clear();
        self.head.extend(self.received.drain(..head.size));
        match head.length {
            Length::Bytes(bytes) => self.swallow(bytes).await?,
            Length::Chunks => while self.swallow_chunk().await? {},
        }
        Ok(head.status)
    }

    /// The coding of the last answer.
    pub(super) fn coding(&self) -> Option<&str> {
        self.field("content-encoding")
    }

    /// Reads one chunk; whether more come. Trailers would be taken for an answer, and nobody sends any here.
    async fn swallow_chunk(&mut self) -> anyhow::Result<bool> {
        loop {
            if let Some((bytes, begins)) = chunk(&self.received)? {
                self.swallow(begins + bytes + 2).await?;
                return Ok(bytes > 0);
            }
            self.receive().await?;
        }
    }

    async fn swallow(&mut self, mut left: usize) -> anyhow::Result<()> {
        loop {
            let some = left.min(self.received.len());
            self.received.drain(..some);
            left -= some;
            if left == 0 {
                return Ok(());
            }
            self.receive().await?;
        }
    }

    /// The server that gave the last answer; `None` when the proxy gave it by itself.
    pub(super) fn answered_by(&self) -> Option<u16> {
        self.field(ANSWERED_BY)?.parse().ok()
    }

    /// A field of the last answer.
    fn field(&self, wanted: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.head).ok()?;
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        Some(value.trim())
    }

    /// Waits until the other side has closed the connection.
    pub(super) async fn closed(&mut self) -> anyhow::Result<()> {
        self.received.clear();
        // An end without the word of TLS is one as well.
        while matches!(self.stream.read_buf(&mut self.received).await, Ok(1..)) {}
        ensure!(self.received.is_empty(), "more came than was asked for");
        Ok(())
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let some = self.stream.read_buf(&mut self.received).await;
        ensure!(
            some.context("an answer breaks off")? > 0,
            "the connection was closed"
        );
        Ok(())
    }
}
