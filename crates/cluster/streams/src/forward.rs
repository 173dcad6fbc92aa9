//! Connections to a Pod's ports: pairs of a stream for data and one for what went wrong
//! (<https://github.com/kubernetes/kubernetes/tree/master/staging/src/k8s.io/kubelet/pkg/cri/streaming/portforward>).

use std::collections::HashMap;

use bytes::Bytes;
use http::{Request, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::channels::{Channels, Coding};
use crate::command::OPENING;
use crate::flow::{Incoming, Outgoing};
use crate::refusal::{OpenError, Refusal};
use crate::spdy::{Headers, Opened, Session, reason};
use crate::upgrade::{Asked, negotiate, switching};
use crate::websocket::{bytes_inside, socket};

const FORWARD: &str = "portforward.k8s.io";
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
const V4: &str = "v4.channel.k8s.io";
const V4_BASE64: &str = "v4.base64.channel.k8s.io";

const ON_SPDY: &[&str] = &[FORWARD];
const ON_WEBSOCKET: &[&str] = &[TUNNEL, V4, V4_BASE64, FORWARD];

/// How many ports may be named at once: each takes two of a WebSocket's channels.
const MOST_PORTS: usize = 100;

/// One connection to a port.
#[derive(Debug)]
pub struct Forward {
    /// The port of the Pod.
    pub port: u16,
    /// What the client sends.
    pub incoming: Incoming,
    /// What the client is sent.
    pub outgoing: Outgoing,
    /// What the client is told when it cannot be.
    pub error: Outgoing,
}

/// A connection that is about to be handed over.
#[derive(Debug)]
pub struct ForwardConnection {
    asked: Asked,
    ports: Vec<u16>,
    upgrade: OnUpgrade,
}

/// The connections to ports that a client asks for.
#[derive(Debug)]
pub struct Forwards(Connection);

#[derive(Debug)]
enum Connection {
    Spdy { session: Session, halves: Halves },
    WebSocket { channels: Channels, left: Vec<Forward> },
}

/// Reads what a request wants; gives the answer, after which the connection is to be opened. `ports` are the values of
/// its query parameter `port`, which WebSocket clients name their ports with.
///
/// # Errors
/// When the request is no upgrade to a protocol that is known, or names no ports where it has to.
pub fn accept_forwards<B>(
    request: &mut Request<B>,
    ports: &[String],
) -> Result<(Response<()>, ForwardConnection), Refusal> {
    let asked = negotiate(request.headers(), ON_SPDY, ON_WEBSOCKET)?;
    let ports = match asked {
        Asked::Spdy(_) | Asked::WebSocket(Some(TUNNEL)) => Vec::new(),
        Asked::WebSocket(_) => parse_ports(ports)?,
    };
    let response = switching(request.headers(), asked);
    let upgrade = hyper::upgrade::on(request);
    Ok((
        response,
        ForwardConnection {
            asked,
            ports,
            upgrade,
        },
    ))
}

fn parse_ports(values: &[String]) -> Result<Vec<u16>, Refusal> {
    if values.is_empty() {
        return Err(Refusal::bad("query parameter \"port\" is required"));
    }
    let mut ports = Vec::new();
    for value in values {
        if value.is_empty() {
            return Err(Refusal::bad("query parameter \"port\" cannot be empty"));
        }
        for part in value.split(',') {
            ports.push(parse_port(part).map_err(Refusal::bad)?);
        }
    }
    if ports.len() > MOST_PORTS {
        return Err(Refusal::bad(format!(
            "at most {MOST_PORTS} ports can be forwarded at once"
        )));
    }
    Ok(ports)
}

fn parse_port(text: &str) -> Result<u16, String> {
    let port: u16 = text
        .parse()
        .map_err(|problem| format!("unable to parse {text:?} as a port: {problem}"))?;
    if port == 0 {
        return Err(format!("port {text:?} must be > 0"));
    }
    Ok(port)
}

impl ForwardConnection {
    /// Waits until the connection is handed over.
    ///
    /// # Errors
    /// When HTTP does not do so.
    pub async fn open(self) -> Result<Forwards, OpenError> {
        let upgraded = self.upgrade.await?;
        let connection = match self.asked {
            Asked::Spdy(_) => {
                let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
                Connection::spdy(Session::start(reader, writer).map_err(OpenError::Codec)?)
            }
            Asked::WebSocket(Some(TUNNEL)) => {
                let (reader, writer) = bytes_inside(socket(upgraded).await);
                Connection::spdy(Session::start(reader, writer).map_err(OpenError::Codec)?)
            }
            Asked::WebSocket(protocol) => on_channels(upgraded, protocol, &self.ports).await?,
        };
        Ok(Forwards(connection))
    }
}

impl Connection {
    fn spdy(session: Session) -> Self {
        Self::Spdy {
            session,
            halves: Halves::default(),
        }
    }
}

/// Every port has two channels; the number of the port comes first on each.
async fn on_channels(
    upgraded: Upgraded,
    protocol: Option<&str>,
    ports: &[u16],
) -> Result<Connection, OpenError> {
    let coding = if protocol == Some(V4_BASE64) {
        Coding::Base64
    } else {
        Coding::Binary
    };
    let readable: Vec<bool> = ports.iter().flat_map(|_| [true, false]).collect();
    let mut channels = Channels::start(socket(upgraded).await, coding, &readable);
    let mut left = Vec::new();
    for (at, port) in ports.iter().enumerate() {
        let number = u32::try_from(2 * at).unwrap_or(u32::MAX);
        let (outgoing, error) = (channels.outgoing(number), channels.outgoing(number + 1));
        for stream in [&outgoing, &error] {
            let first = Bytes::copy_from_slice(&port.to_le_bytes());
            stream.send(first).await.map_err(|_| OpenError::Gone)?;
        }
        let incoming = channels.incoming(2 * at).ok_or(OpenError::Gone)?;
        left.push(Forward {
            port: *port,
            incoming,
            outgoing,
            error,
        });
    }
    Ok(Connection::WebSocket { channels, left })
}

impl Forwards {
    /// The next connection that the client asks for; none when there will be no more.
    pub async fn next(&mut self) -> Option<Forward> {
        match &mut self.0 {
            Connection::Spdy { session, halves } => next_pair(session, halves).await,
            Connection::WebSocket { left, .. } => left.pop(),
        }
    }

    /// Cancelled when the client is gone.
    pub fn gone(&self) -> CancellationToken {
        match &self.0 {
            Connection::Spdy { session, .. } => session.gone(),
            Connection::WebSocket { channels, .. } => channels.gone(),
        }
    }

    /// Says that nothing more comes. What was sent before arrives.
    pub async fn close(self) {
        match self.0 {
            Connection::Spdy { session, .. } => session.close().await,
            Connection::WebSocket { channels, .. } => channels.close().await,
        }
    }
}

async fn next_pair(session: &mut Session, halves: &mut Halves) -> Option<Forward> {
    loop {
        let next_end = halves.next_end();
        let opened = tokio::select! {
            opened = session.next() => opened?,
            () = pause_until(next_end) => {
                for half in halves.take_expired(Instant::now()) {
                    half.outgoing.reset(reason::REFUSED_STREAM).await;
                }
                continue;
            }
        };
        match halves.add(opened, Instant::now()) {
            Ok(Some(forward)) => return Some(forward),
            Ok(None) => {}
            Err(refused) => {
                let (why, opened) = *refused;
                tracing::debug!(why, "a stream of a port-forward is refused");
                opened.outgoing.reset(reason::PROTOCOL_ERROR).await;
            }
        }
    }
}

async fn pause_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Streams whose other half has not come yet, by the id of their request. The session bounds how many.
#[derive(Debug, Default)]
struct Halves(HashMap<String, Half>);

#[derive(Debug)]
struct Half {
    port: u16,
    /// Whether it is the one for data.
    data: bool,
    stream: Opened,
    until: Instant,
}

impl Halves {
    fn next_end(&self) -> Option<Instant> {
        self.0.values().map(|half| half.until).min()
    }

    fn take_expired(&mut self, now: Instant) -> Vec<Opened> {
        let expired: Vec<String> = self
            .0
            .iter()
            .filter(|(_, half)| half.until <= now)
            .map(|(id, _)| id.clone())
            .collect();
        expired
            .iter()
            .filter_map(|id| self.0.remove(id))
            .map(|half| half.stream)
            .collect()
    }

    /// Takes a stream; gives the pair that it completes, or the stream back with the reason why it is none.
    fn add(&mut self, opened: Opened, now: Instant) -> Result<Option<Forward>, Box<(String, Opened)>> {
        let (id, port, data) = match read(&opened.headers) {
            Ok(read) => read,
            Err(why) => return Err(Box::new((why, opened))),
        };
        let Some(half) = self.0.remove(&id) else {
            let (until, stream) = (now + OPENING, opened);
            let half = Half {
                port,
                data,
                stream,
                until,
            };
            self.0.insert(id, half);
            return Ok(None);
        };
        if half.data == data || half.port != port {
            self.0.insert(id, half);
            return Err(Box::new(("its request has such a stream".to_owned(), opened)));
        }
        let (data, error) = if data {
            (opened, half.stream)
        } else {
            (half.stream, opened)
        };
        Ok(Some(Forward {
            port,
            incoming: data.incoming,
            outgoing: data.outgoing,
            error: error.outgoing,
        }))
    }
}

/// Request, port and whether the stream is for data.
fn read(headers: &Headers) -> Result<(String, u16, bool), String> {
    let required = |name: &str| {
        headers
            .get(name)
            .ok_or_else(|| format!("{name:?} header is required"))
    };
    let port = parse_port(required("port")?)?;
    let data = match required("streamtype")? {
        "data" => true,
        "error" => false,
        other => return Err(format!("invalid stream type {other:?}")),
    };
    Ok((required("requestid")?.to_owned(), port, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{inlet, outbox};

    fn opened<const N: usize>(headers: [(&str, &str); N]) -> Opened {
        Opened {
            headers: Headers::from(headers),
            incoming: inlet(None).1,
            outgoing: Outgoing::new(1, outbox().0),
        }
    }

    fn half(id: &str, kind: &str, port: &str) -> Opened {
        opened([("requestid", id), ("streamtype", kind), ("port", port)])
    }

    #[tokio::test]
    async fn two_streams_of_one_request_are_a_connection() {
        let (mut halves, now) = (Halves::default(), Instant::now());
        assert!(halves.add(half("0", "error", "80"), now).expect("good").is_none());
        assert!(halves.add(half("1", "data", "81"), now).expect("good").is_none());
        let forward = halves.add(half("0", "data", "80"), now).expect("good");
        assert_eq!(forward.map(|forward| forward.port), Some(80));
        assert!(
            halves.add(half("1", "data", "81"), now).is_err(),
            "twice the same"
        );
        assert!(halves.add(half("1", "error", "82"), now).is_err(), "another port");
        assert_eq!(halves.next_end(), Some(now + OPENING));
        assert_eq!(halves.take_expired(now + OPENING).len(), 1);
        assert_eq!(halves.next_end(), None);
    }

    #[test]
    fn streams_that_say_too_little_are_refused() {
        let mut halves = Halves::default();
        for (stream, why) in [
            (opened([]), "\"port\" header is required"),
            (half("0", "data", "0"), "must be > 0"),
            (half("0", "data", "70000"), "unable to parse \"70000\""),
            (half("0", "video", "80"), "invalid stream type \"video\""),
            (
                opened([("port", "80"), ("streamtype", "data")]),
                "\"requestid\" header is required",
            ),
        ] {
            let refused = halves.add(stream, Instant::now()).expect_err("refused");
            assert!(refused.0.contains(why), "{}", refused.0);
        }
    }

    #[test]
    fn websocket_clients_name_ports_in_the_query() {
        let ports = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            parse_ports(&values).map_err(|refusal| refusal.message)
        };
        assert_eq!(ports(&["80,81", "82"]), Ok(vec![80, 81, 82]));
        assert!(ports(&[]).expect_err("none").contains("is required"));
        assert!(ports(&[""]).expect_err("empty").contains("cannot be empty"));
        assert!(ports(&["x"]).expect_err("no number").contains("unable to parse"));
    }
}
