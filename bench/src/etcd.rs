//! Debian's etcd as a peer: how many durable puts it makes on this machine, with as many writers and values as large.
//! What an API that keeps its objects in etcd can create is less than that.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::future::try_join_all;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::process;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks whether it has started: it has no way of saying so.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of a stored `ConfigMap` of the load, managed fields included.
const VALUE_BYTES: usize = 620;

/// A running etcd; ends when dropped.
#[derive(Debug)]
pub(crate) struct Etcd {
    process: Child,
    port: u16,
    _data: TempDir,
}

/// What it did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) per_second: f64,
    pub(crate) latencies: Vec<Duration>,
    /// Processor time of one put, in milliseconds.
    pub(crate) processor_milliseconds: f64,
}

impl Etcd {
    /// Starts one on a data folder of its own; none when this machine has no etcd.
    pub(crate) async fn start() -> anyhow::Result<Option<Self>> {
        let Some(program) = process::find("etcd") else {
            return Ok(None);
        };
        let data = tempfile::tempdir()?;
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        let (clients, peers) = (
            TcpListener::bind("127.0.0.1:0")?,
            TcpListener::bind("127.0.0.1:0")?,
        );
        let (client_port, peer_port) = (port(&clients)?, port(&peers)?);
        drop((clients, peers));
        let (client_url, peer_url) = (
            format!("http://127.0.0.1:{client_port}"),
            format!("http://127.0.0.1:{peer_port}"),
        );
        let process = Command::new(program)
            .arg("--data-dir")
            .arg(data.path())
            .args([
                "--listen-client-urls",
                &client_url,
                "--advertise-client-urls",
                &client_url,
            ])
            .args([
                "--listen-peer-urls",
                &peer_url,
                "--initial-advertise-peer-urls",
                &peer_url,
            ])
            .args(["--initial-cluster", &format!("default={peer_url}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let etcd = Self {
            process,
            port: client_port,
            _data: data,
        };
        let began = Instant::now();
        while let Err(problem) = etcd.put_once().await {
            if began.elapsed() > PATIENCE {
                return Err(problem.context("etcd does not start"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Some(etcd))
    }

    /// Puts `total` values, each durable before it is answered.
    pub(crate) async fn puts(&self, writers: usize, total: u64) -> anyhow::Result<Outcome> {
        let mut senders = Vec::with_capacity(writers);
        for _ in 0..writers {
            senders.push(self.connect().await?);
        }
        let next = Arc::new(AtomicU64::new(0));
        let before = process::processor_time(self.process.id())?;
        let began = Instant::now();
        let workers = senders.into_iter().map(|mut sender| {
            let next = next.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return anyhow::Ok(latencies);
                    }
                    let sent = Instant::now();
                    put(&mut sender, &format!("/registry/configmaps/bench/c-{number:06}")).await?;
                    latencies.push(sent.elapsed());
                }
            })
        });
        let mut latencies = Vec::new();
        for worker in try_join_all(workers).await? {
            latencies.extend(worker?);
        }
        let elapsed = began.elapsed();
        let spent = process::processor_time(self.process.id())?.saturating_sub(before);
        let count = f64::from(u32::try_from(total)?);
        Ok(Outcome {
            per_second: count / elapsed.as_secs_f64(),
            latencies,
            processor_milliseconds: spent.as_secs_f64() * 1e3 / count,
        })
    }

    async fn put_once(&self) -> anyhow::Result<()> {
        let mut sender = self.connect().await?;
        put(&mut sender, "/ready").await
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `etcdserverpb.KV/Put` over gRPC.
async fn put(sender: &mut SendRequest<Full<Bytes>>, key: &str) -> anyhow::Result<()> {
    let request = Request::post("http://127.0.0.1/etcdserverpb.KV/Put")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(message(key.as_bytes(), &[b'x'; VALUE_BYTES])))?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let early = response.headers().get("grpc-status").cloned();
    let body = response.into_body().collect().await?;
    let late = body
        .trailers()
        .and_then(|trailers| trailers.get("grpc-status"))
        .cloned();
    let status = early.or(late).context("etcd gives no status")?;
    if status != "0" {
        bail!("etcd answers status {status:?}");
    }
    Ok(())
}

/// A `PutRequest` in a gRPC frame: field 1 is the key, field 2 the value.
fn message(key: &[u8], value: &[u8]) -> Bytes {
    let mut fields = BytesMut::new();
    for (tag, bytes) in [(0x0a, key), (0x12, value)] {
        fields.put_u8(tag);
        let mut length = bytes.len();
        while length >= 0x80 {
            fields.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        fields.put_u8(u8::try_from(length).unwrap_or_default());
        fields.put_slice(bytes);
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(fields.len()).unwrap_or_default());
    frame.put(fields);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_is_framed_as_grpc_frames_it() {
        let frame = message(b"k", &[7; 200]);
        assert_eq!(&frame[..5], [0, 0, 0, 0, 206]);
        assert_eq!(&frame[5..11], [0x0a, 1, b'k', 0x12, 0xc8, 0x01]);
        assert_eq!(frame.len(), 5 + 206);
    }
}
