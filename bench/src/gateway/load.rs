//! Closed loops against one proxy: so many connections, each sending the next request when the last one is answered; and
//! what the proxy's processors had to do for it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};

use super::{
    proxy::Proxy,
    stage::Stage,
    wire::{Ask, FIELDS, Way},
};
use crate::figures::{milliseconds, percentile};

/// Load before that which counts.
const WARM_UP: Duration = Duration::from_millis(300);
/// How much longer than it is meant to a load may take until it counts as hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a proxy is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// HTTP/1.1 on so many connections that stay.
    Http1 { connections: usize, ask: Ask },
    /// HTTP/2 on so many connections, with so many requests at a time on each.
    Http2 { connections: usize, streams: usize },
    /// A new connection for each request, so many at a time.
    Handshakes { at_once: usize },
}

/// What came out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Processor time of the proxy for each request, in microseconds.
    pub(super) microseconds: f64,
    pub(super) p99_milliseconds: f64,
    pub(super) per_second: f64,
}

/// When requests count.
#[derive(Debug, Clone, Copy)]
struct Window {
    begins: Instant,
    ends: Instant,
}

impl Load {
    /// Loads a proxy for so long.
    pub(super) async fn run(
        self,
        stage: &Stage,
        proxy: &Proxy,
        way: &Way,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let whole = WARM_UP + time + PATIENCE;
        timeout(whole, self.measure(stage, proxy, way, time))
            .await
            .context("it hangs")?
    }

    async fn measure(
        self,
        stage: &Stage,
        proxy: &Proxy,
        way: &Way,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let begins = Instant::now() + WARM_UP;
        let window = Window {
            begins,
            ends: begins + time,
        };
        let mut loops = self.begin(stage, way, window).await?;
        sleep_until(window.begins.into()).await;
        let before = proxy.processor_time()?;
        sleep_until(window.ends.into()).await;
        let worked = proxy.processor_time()?.saturating_sub(before);
        let mut took = Vec::new();
        while let Some(done) = loops.join_next().await {
            took.extend(done??);
        }
        ensure!(!took.is_empty(), "no request was answered in time");
        let count = f64::from(u32::try_from(took.len())?);
        Ok(Outcome {
            microseconds: worked.as_secs_f64() * 1e6 / count,
            p99_milliseconds: milliseconds(percentile(&mut took, 99)),
            per_second: count / time.as_secs_f64(),
        })
    }

    async fn begin(self, stage: &Stage, way: &Way, window: Window) -> anyhow::Result<Loops> {
        let mut loops = JoinSet::new();
        match self {
            Self::Http1 { connections, ask } => {
                for number in 0..connections {
                    let host = stage.host_of_connection(number);
                    loops.spawn(http1(way.clone(), host, ask, window));
                }
            }
            Self::Http2 { connections, streams } => {
                for number in 0..connections {
                    let host = stage.host_of_connection(number);
                    http2(&mut loops, way, &host, streams, window).await?;
                }
            }
            Self::Handshakes { at_once } => {
                for number in 0..at_once {
                    let hosts = (0..).map(move |round| number + round * at_once);
                    let hosts = hosts.map({
                        let count = stage.hosts;
                        move |number| Stage::host(number % count)
                    });
                    loops.spawn(handshakes(way.clone(), hosts, window));
                }
            }
        }
        Ok(loops)
    }
}

/// Each loop gives how long the requests took that count.
type Loops = JoinSet<anyhow::Result<Vec<Duration>>>;

impl Window {
    fn is_open(self) -> bool {
        Instant::now() < self.ends
    }

    fn note(self, sent: Instant, took: &mut Vec<Duration>) {
        if sent >= self.begins {
            took.push(sent.elapsed());
        }
    }
}

async fn http1(way: Way, host: String, ask: Ask, window: Window) -> anyhow::Result<Vec<Duration>> {
    let mut wire = way.open(&host).await?;
    let request = ask.request(&host);
    let mut took = Vec::new();
    while window.is_open() {
        let sent = Instant::now();
        wire.ask(&request).await?;
        window.note(sent, &mut took);
    }
    if let Ask::Text(coding) = ask {
        ensure!(wire.coding() == Some(coding), "the answer is not in {coding}");
    }
    Ok(took)
}

async fn handshakes(
    way: Way,
    hosts: impl Iterator<Item = String>,
    window: Window,
) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for host in hosts.take_while(|_| window.is_open()) {
        let request = Ask::LastPage.request(&host);
        let sent = Instant::now();
        let mut wire = way.open(&host).await?;
        wire.ask(&request).await?;
        window.note(sent, &mut took);
        // The side that closes first keeps the port for a minute; it is not to be ours, which are few.
        wire.closed().await?;
    }
    Ok(took)
}

/// One connection with its loops.
async fn http2(
    loops: &mut Loops,
    way: &Way,
    host: &str,
    streams: usize,
    window: Window,
) -> anyhow::Result<()> {
    let stream = way.open_tls(host).await?;
    let protocol = stream.get_ref().1.alpn_protocol();
    ensure!(protocol == Some(b"h2"), "it does not speak HTTP/2");
    let (sender, connection) =
        http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Its loops see when it breaks.
    tokio::spawn(connection);
    let mut request = http::Request::get(format!("https://{host}/"));
    for (name, value) in FIELDS {
        request = request.header(name, value);
    }
    let request = request.body(Empty::new())?;
    for _ in 0..streams {
        loops.spawn(stream_of_requests(sender.clone(), request.clone(), window));
    }
    Ok(())
}

async fn stream_of_requests(
    mut sender: SendRequest<Empty<Bytes>>,
    request: http::Request<Empty<Bytes>>,
    window: Window,
) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    while window.is_open() {
        let sent = Instant::now();
        sender.ready().await?;
        let answer = sender.send_request(request.clone()).await?;
        ensure!(
            answer.status() == 200,
            "the answer has status {}",
            answer.status()
        );
        swallow(answer.into_body()).await?;
        window.note(sent, &mut took);
    }
    Ok(took)
}

async fn swallow(mut body: Incoming) -> anyhow::Result<()> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}
