//! A closed loop over HTTP/1.1: so many connections that stay, one request at a time on each.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::figures::{milliseconds, percentile};

/// Load before that which counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// What came out.
pub(super) struct Outcome {
    pub(super) requests: f64,
    pub(super) per_second: f64,
    pub(super) p50_milliseconds: f64,
    pub(super) p99_milliseconds: f64,
}

type Sender = http1::SendRequest<Empty<Bytes>>;

/// Loads a server for so long.
pub(super) async fn run(
    port: u16,
    host: &str,
    path: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let begins = Instant::now() + WARM_UP;
    let ends = begins + time;
    let mut loops = JoinSet::new();
    for _ in 0..connections {
        let mut sender = connect(port).await?;
        let (host, path) = (host.to_owned(), path.to_owned());
        loops.spawn(async move {
            let mut took = Vec::new();
            let mut all = 0_u32;
            while Instant::now() < ends {
                let began = Instant::now();
                ask(&mut sender, &host, &path).await?;
                all += 1;
                if began >= begins {
                    took.push(began.elapsed());
                }
            }
            anyhow::Ok((took, all))
        });
    }
    let mut took = Vec::new();
    let mut all = 0;
    while let Some(done) = loops.join_next().await {
        let (mut more, asked) = done??;
        took.append(&mut more);
        all += asked;
    }
    let counted = u32::try_from(took.len()).unwrap_or(u32::MAX);
    Ok(Outcome {
        requests: f64::from(all),
        per_second: f64::from(counted) / time.as_secs_f64(),
        p50_milliseconds: milliseconds(percentile(&mut took, 50)),
        p99_milliseconds: milliseconds(percentile(&mut took, 99)),
    })
}

/// One request on a connection of its own: status and text.
pub(super) async fn once(port: u16, host: &str, path: &str) -> anyhow::Result<(u16, String)> {
    let (status, bytes) = ask(&mut connect(port).await?, host, path).await?;
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}

async fn connect(port: u16) -> anyhow::Result<Sender> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(sender: &mut Sender, host: &str, path: &str) -> anyhow::Result<(u16, Bytes)> {
    let request = Request::get(path)
        .header("host", host)
        .header("accept", "text/html")
        .body(Empty::new())?;
    let answer = sender.send_request(request).await.context("no answer")?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}
