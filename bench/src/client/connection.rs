//! One connection that stays: a request goes out in one write, its answer is read to the end.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{
    Call,
    answer::{Head, Length, chunk},
};

/// Room for answers to begin with, in bytes.
const ROOM: usize = 32 << 10;

/// A connection. After an error it is of no use.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TlsStream<BufReader<TcpStream>>,
    /// What every request says: to whom it is, and who asks.
    headers: String,
    request: Vec<u8>,
    /// What has been received and not been used yet.
    received: Vec<u8>,
}

impl Connection {
    /// A connection on which every request has these header lines.
    pub(super) fn new(stream: TlsStream<BufReader<TcpStream>>, headers: String) -> Self {
        Self {
            stream,
            headers,
            request: Vec::new(),
            received: Vec::with_capacity(ROOM),
        }
    }

    /// Sends a request and reads the answer to its end without keeping it; gives its size in bytes.
    pub(crate) async fn drain(&mut self, call: &Call) -> anyhow::Result<usize> {
        let head = self.granted(call).await?;
        self.body(head.length, |_| {}).await
    }

    /// Sends a request and gives the JSON that comes back.
    pub(crate) async fn json(&mut self, call: &Call) -> anyhow::Result<Value> {
        let head = self.granted(call).await?;
        let mut bytes = Vec::new();
        self.body(head.length, |part| bytes.extend_from_slice(part))
            .await?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Sends a request and gives the text that comes back.
    pub(crate) async fn text(&mut self, call: &Call) -> anyhow::Result<String> {
        let head = self.granted(call).await?;
        let mut bytes = Vec::new();
        self.body(head.length, |part| bytes.extend_from_slice(part))
            .await?;
        Ok(String::from_utf8(bytes)?)
    }

    /// Sends a request whose answer goes on for ever; what comes of it is for [`Connection::follow`].
    pub(crate) async fn watch(&mut self, call: &Call) -> anyhow::Result<()> {
        let head = self.granted(call).await?;
        if head.length != Length::Chunks {
            bail!("{} is no stream", call.path);
        }
        Ok(())
    }

    /// Shows each part of a stream as it comes, until it ends.
    pub(crate) async fn follow(&mut self, seen: impl FnMut(&[u8])) -> anyhow::Result<()> {
        self.chunks(seen).await?;
        Ok(())
    }

    /// Sends a request, reads the answer to its end, and gives its status, whatever it is.
    pub(crate) async fn status(&mut self, call: &Call) -> anyhow::Result<u16> {
        let head = self.head(call).await?;
        self.body(head.length, |_| {}).await?;
        Ok(head.status)
    }

    /// Sends a request and reads the head of its answer.
    async fn head(&mut self, call: &Call) -> anyhow::Result<Head> {
        self.write(call).await?;
        let head = loop {
            if let Some(head) = Head::read(&self.received)? {
                break head;
            }
            self.receive().await?;
        };
        self.received.drain(..head.size);
        Ok(head)
    }

    /// Sends a request and reads the head of its answer, which must be a success.
    async fn granted(&mut self, call: &Call) -> anyhow::Result<Head> {
        let head = self.head(call).await?;
        if head.is_success() {
            return Ok(head);
        }
        let mut bytes = Vec::new();
        self.body(head.length, |part| bytes.extend_from_slice(part))
            .await?;
        let words = String::from_utf8_lossy(&bytes);
        bail!("{} answers {}: {words}", call.path, head.status)
    }

    async fn write(&mut self, call: &Call) -> anyhow::Result<()> {
        let request = &mut self.request;
        request.clear();
        write!(
            request,
            "{} {} HTTP/1.1\r\n{}",
            call.method, call.path, self.headers
        )?;
        if call.gzip {
            request.extend_from_slice(b"Accept-Encoding: gzip\r\n");
        }
        if !call.body.is_empty() {
            write!(
                request,
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                call.body.len()
            )?;
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(&call.body);
        self.stream.write_all(request).await?;
        Ok(self.stream.flush().await?)
    }

    async fn body(&mut self, length: Length, mut seen: impl FnMut(&[u8])) -> anyhow::Result<usize> {
        match length {
            Length::Bytes(size) => {
                self.take(size, &mut seen).await?;
                Ok(size)
            }
            Length::Chunks => self.chunks(seen).await,
        }
    }

    /// All chunks of a body; gives their bytes together.
    async fn chunks(&mut self, mut seen: impl FnMut(&[u8])) -> anyhow::Result<usize> {
        let mut total = 0;
        loop {
            let (size, line) = loop {
                if let Some(found) = chunk(&self.received)? {
                    break found;
                }
                self.receive().await?;
            };
            self.received.drain(..line);
            self.take(size, &mut seen).await?;
            self.take(2, &mut |_| {}).await?;
            if size == 0 {
                return Ok(total);
            }
            total += size;
        }
    }

    /// The next `size` bytes.
    async fn take(&mut self, mut size: usize, seen: &mut impl FnMut(&[u8])) -> anyhow::Result<()> {
        loop {
            let some = size.min(self.received.len());
            seen(&self.received[..some]);
            self.received.drain(..some);
            size -= some;
            if size == 0 {
                return Ok(());
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> anyhow::Result<()> {
        let some = self.stream.read_buf(&mut self.received).await;
        if some.context("an answer breaks off")? == 0 {
            bail!("the server has closed the connection");
        }
        Ok(())
    }
}
