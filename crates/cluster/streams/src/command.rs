//! The streams of a command (`exec`) or a container (`attach`): input, outputs, the size of the terminal, and the
//! verdict at the end
//! (<https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go>).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::channels::{Channels, Coding};
use crate::flow::{Incoming, Outgoing};
use crate::refusal::{OpenError, Refusal};
use crate::spdy::{Session, reason};
use crate::upgrade::{Asked, negotiate, switching};
use crate::verdict::Verdict;
use crate::websocket::socket;

/// How long a client may take to open its streams, as in Kubernetes.
pub(crate) const OPENING: Duration = Duration::from_secs(30);
/// Longest description of a terminal's size, in bytes.
const SIZE_BYTES: usize = 1 << 10;

const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";
const V4_BASE64: &str = "v4.base64.channel.k8s.io";
const V3: &str = "v3.channel.k8s.io";
const V2: &str = "v2.channel.k8s.io";
const V1: &str = "channel.k8s.io";
const V1_BASE64: &str = "base64.channel.k8s.io";

const ON_SPDY: &[&str] = &[V4, V3, V2, V1];
const ON_WEBSOCKET: &[&str] = &[V5, V4, V4_BASE64, V1, V1_BASE64];

/// The channels of a WebSocket.
const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
const ERROR: u32 = 3;
const RESIZE: u32 = 4;

/// Which streams a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the request")]
pub struct Wanted {
    /// The client sends input.
    pub stdin: bool,
    /// The client takes output.
    pub stdout: bool,
    /// The client takes errors; a terminal has none of its own.
    pub stderr: bool,
    /// There is a terminal, whose size the client tells.
    pub tty: bool,
}

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub width: u16,
    /// Lines.
    pub height: u16,
}

/// A connection that is about to be handed over.
#[derive(Debug)]
pub struct CommandConnection {
    asked: Asked,
    wanted: Wanted,
    upgrade: OnUpgrade,
}

/// The streams of a command. [`CommandStreams::finish`] ends them.
#[derive(Debug)]
pub struct CommandStreams {
    /// Input, where it is wanted.
    pub stdin: Option<Incoming>,
    /// Output, where it is wanted.
    pub stdout: Option<Outgoing>,
    /// Errors, where they are wanted.
    pub stderr: Option<Outgoing>,
    /// The sizes of the terminal, where there is one.
    pub resizes: Option<Resizes>,
    error: Outgoing,
    /// Whether the verdict is a `Status` object.
    structured: bool,
    connection: Connection,
}

#[derive(Debug)]
enum Connection {
    Spdy(Session),
    WebSocket(Channels),
}

/// Reads what a request wants; gives the answer, after which the connection is to be opened.
///
/// # Errors
/// When the request is no upgrade to a protocol that is known.
pub fn accept_command<B>(
    request: &mut Request<B>,
    wanted: Wanted,
) -> Result<(Response<()>, CommandConnection), Refusal> {
    let asked = negotiate(request.headers(), ON_SPDY, ON_WEBSOCKET)?;
    let response = switching(request.headers(), asked);
    let upgrade = hyper::upgrade::on(request);
    Ok((
        response,
        CommandConnection {
            asked,
            wanted,
            upgrade,
        },
    ))
}

impl CommandConnection {
    /// Waits until the connection is handed over and the client has opened its streams.
    ///
    /// # Errors
    /// When the client does not do so within half a minute.
    pub async fn open(self) -> Result<CommandStreams, OpenError> {
        let upgraded = self.upgrade.await?;
        match self.asked {
            Asked::Spdy(protocol) => {
                let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
                let session = Session::start(reader, writer).map_err(OpenError::Codec)?;
                on_spdy(session, protocol, self.wanted).await
            }
            Asked::WebSocket(protocol) => on_websocket(socket(upgraded).await, protocol, self.wanted).await,
        }
    }
}

async fn on_websocket(
    socket: crate::websocket::Socket,
    protocol: Option<&str>,
    wanted: Wanted,
) -> Result<CommandStreams, OpenError> {
    let coding = match protocol {
        Some(V4_BASE64 | V1_BASE64) => Coding::Base64,
        _ => Coding::Binary,
    };
    let readable = [wanted.stdin, false, false, false, wanted.tty];
    let mut channels = Channels::start(socket, coding, &readable);
    let greeted = match (wanted.stdout, wanted.stderr) {
        (true, _) => STDOUT,
        (false, true) => STDERR,
        (false, false) => ERROR,
    };
    let greeting = channels.outgoing(greeted);
    greeting.greet().await.map_err(|_| OpenError::Gone)?;
    let mut incoming = |channel: u32| channels.incoming(usize::try_from(channel).ok()?);
    let (stdin, resizes) = (incoming(STDIN), incoming(RESIZE).map(Resizes::new));
    Ok(CommandStreams {
        stdin,
        stdout: wanted.stdout.then(|| channels.outgoing(STDOUT)),
        stderr: (wanted.stderr && !wanted.tty).then(|| channels.outgoing(STDERR)),
        resizes,
        error: channels.outgoing(ERROR),
        structured: matches!(protocol, Some(V5 | V4 | V4_BASE64)),
        connection: Connection::WebSocket(channels),
    })
}

/// What the client has opened so far.
#[derive(Debug, Default)]
struct Opening {
    error: Option<Outgoing>,
    stdin: Option<Incoming>,
    stdout: Option<Outgoing>,
    stderr: Option<Outgoing>,
    resizes: Option<Resizes>,
}

async fn on_spdy(mut session: Session, protocol: &str, wanted: Wanted) -> Result<CommandStreams, OpenError> {
    let resizable = wanted.tty && matches!(protocol, V4 | V3);
    let stderr = wanted.stderr && !wanted.tty;
    let until = Instant::now() + OPENING;
    let mut opening = Opening::default();
    // Streams that only one side uses are held so long, lest they count as ended.
    let is_complete = |opening: &Opening| {
        opening.error.is_some()
            && opening.stdin.is_some() == wanted.stdin
            && opening.stdout.is_some() == wanted.stdout
            && opening.stderr.is_some() == stderr
            && opening.resizes.is_some() == resizable
    };
    while !is_complete(&opening) {
        let opened = timeout_at(until, session.next()).await;
        let opened = opened.map_err(|_| OpenError::TimeOut)?.ok_or(OpenError::Gone)?;
        let kind = opened.headers.get("streamtype").unwrap_or_default().to_owned();
        match kind.as_str() {
            "error" => opening.error = Some(opened.outgoing),
            "stdin" if wanted.stdin => opening.stdin = Some(opened.incoming),
            "stdout" if wanted.stdout => opening.stdout = Some(opened.outgoing),
            "stderr" if stderr => opening.stderr = Some(opened.outgoing),
            "resize" if resizable => opening.resizes = Some(Resizes::new(opened.incoming)),
            _ => {
                tracing::debug!(kind, "a stream of a type that was not asked for");
                opened.outgoing.reset(reason::REFUSED_STREAM).await;
            }
        }
    }
    Ok(CommandStreams {
        stdin: opening.stdin,
        stdout: opening.stdout,
        stderr: opening.stderr,
        resizes: opening.resizes,
        error: opening.error.ok_or(OpenError::Gone)?,
        structured: protocol == V4,
        connection: Connection::Spdy(session),
    })
}

impl CommandStreams {
    /// Cancelled when the client is gone.
    pub fn gone(&self) -> CancellationToken {
        match &self.connection {
            Connection::Spdy(session) => session.gone(),
            Connection::WebSocket(channels) => channels.gone(),
        }
    }

    /// Says the last word and closes the connection. Outputs that are still here end with it.
    pub async fn finish(self, verdict: &Verdict) {
        for output in [self.stdout, self.stderr].into_iter().flatten() {
            output.finish().await;
        }
        let word = if self.structured {
            verdict.to_status().to_string()
        } else {
            verdict.to_text()
        };
        // A client that is gone needs no verdict.
        let _ = self.error.send(Bytes::from(word)).await;
        self.error.finish().await;
        match self.connection {
            Connection::Spdy(session) => session.close().await,
            Connection::WebSocket(channels) => channels.close().await,
        }
    }
}

/// The sizes that a client gives its terminal.
#[derive(Debug)]
pub struct Resizes {
    incoming: Incoming,
    buffer: BytesMut,
}

impl Resizes {
    fn new(incoming: Incoming) -> Self {
        Self {
            incoming,
            buffer: BytesMut::new(),
        }
    }

    /// The next size; none when there will be no more, or something else came.
    pub async fn next(&mut self) -> Option<Size> {
        loop {
            if let Some(size) = self.parse()? {
                return Some(size);
            }
            let more = self.incoming.next().await?;
            if self.buffer.len() + more.len() > SIZE_BYTES {
                return None;
            }
            self.buffer.extend_from_slice(&more);
        }
    }

    /// The size at the head of what came, once it is whole; nothing at all when it is none.
    #[expect(clippy::option_option, reason = "not yet, and never")]
    fn parse(&mut self) -> Option<Option<Size>> {
        let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Value>();
        let value = match values.next() {
            None => return Some(None),
            Some(Err(error)) if error.is_eof() => return Some(None),
            Some(Err(_)) => return None,
            Some(Ok(value)) => value,
        };
        let used = values.byte_offset();
        let _ = self.buffer.split_to(used);
        let number = |name: &str| value.get(name)?.as_u64()?.try_into().ok();
        let (width, height) = (number("Width")?, number("Height")?);
        Some(Some(Size { width, height }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::inlet;

    #[tokio::test]
    async fn sizes_come_in_pieces_and_one_after_the_other() {
        let (inlet, incoming) = inlet(None);
        for piece in [
            "{\"Width\":80,\"Hei",
            "ght\":24}\n{\"Width\":1,\"Height\":2}",
            "\n{\"x\":1}",
        ] {
            inlet.put(Bytes::from(piece)).await;
        }
        let mut resizes = Resizes::new(incoming);
        let size = |width, height| Some(Size { width, height });
        assert_eq!(resizes.next().await, size(80, 24));
        assert_eq!(resizes.next().await, size(1, 2));
        assert_eq!(resizes.next().await, None);
    }
}
