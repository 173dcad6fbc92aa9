//! One connection: a task that reads frames and one that writes them, around the streams that the client opens.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_util::codec::FramedRead;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::frame::{Frame, FrameDecoder, INITIAL_WINDOW, reason};
use super::headers::{HeaderDecoder, HeaderEncoder, Headers};
use super::table::Table;
use crate::flow::{Incoming, Outbox, Outgoing, Packet, inlet, outbox};

/// How long a connection that has ended on our side may take to end on the client's. Until then what it still sends
/// is read and dropped, because closing before would cut off what is under way to it.
pub(crate) const LINGER: Duration = Duration::from_secs(10);
/// How many streams wait to be looked at.
const OPENED: usize = 16;
/// How much is gathered before it is written, in bytes.
const GATHERED_BYTES: usize = 64 << 10;

/// A stream that the client opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) headers: Headers,
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

/// A connection. Dropped, it ends after a while; [`Session::close`] ends it at once.
#[derive(Debug)]
pub(crate) struct Session {
    opened: mpsc::Receiver<Opened>,
    outbox: Outbox,
    gone: CancellationToken,
    _ended: DropGuard,
}

impl Session {
    /// Runs a connection on tasks of its own.
    pub(crate) fn start<R, W>(reader: R, writer: W) -> io::Result<Self>
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (outbox, queue) = outbox();
        let (open, opened) = mpsc::channel(OPENED);
        let (gone, ended) = (CancellationToken::new(), CancellationToken::new());
        let table = Arc::new(Table::default());
        let writing = write(queue, writer, HeaderEncoder::new()?);
        let reading = Reader {
            frames: FramedRead::new(reader, FrameDecoder::default()),
            headers: HeaderDecoder::new(),
            table: table.clone(),
            last: 0,
            leaving: false,
            outbox: outbox.clone(),
            open,
        };
        let (end_of_reading, end_of_writing) = (gone.clone(), gone.clone());
        let over = ended.clone();
        tokio::spawn(async move {
            let read = reading.run();
            tokio::select! {
                () = read => {}
                () = end_of_reading.cancelled() => {}
                () = lingered(&over) => {}
            }
            end_of_reading.cancel();
            table.close();
        });
        let over = ended.clone();
        tokio::spawn(async move {
            let end = tokio::select! {
                written = writing => written,
                () = end_of_writing.cancelled() => return,
                () = lingered(&over) => Ok(()),
            };
            match end {
                Ok(()) => {}
                Err(problem) => {
                    tracing::debug!(%problem, "a SPDY connection cannot be written to any more");
                    end_of_writing.cancel();
                }
            }
        });
        Ok(Self {
            opened,
            outbox,
            gone,
            _ended: ended.drop_guard(),
        })
    }

    /// The next stream that the client opens; none when it goes.
    pub(crate) async fn next(&mut self) -> Option<Opened> {
        self.opened.recv().await
    }

    /// Cancelled when the client is gone.
    pub(crate) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    /// Says that nothing more comes. What was sent before arrives.
    pub(crate) async fn close(self) {
        let _ = self.outbox.send(Packet::GoAway(0, reason::DONE)).await;
    }
}

pub(crate) async fn lingered(ended: &CancellationToken) {
    ended.cancelled().await;
    tokio::time::sleep(LINGER).await;
}

struct Reader<R> {
    frames: FramedRead<R, FrameDecoder>,
    headers: HeaderDecoder,
    table: Arc<Table>,
    /// The highest stream that was opened.
    last: u32,
    /// Whether the client has said that it opens no more.
    leaving: bool,
    outbox: Outbox,
    open: mpsc::Sender<Opened>,
}

/// What ends a connection: the reason that the client is told.
struct Broken(u32);

impl<R: AsyncRead + Unpin> Reader<R> {
    async fn run(mut self) {
        while let Some(frame) = self.frames.next().await {
            let taken = match frame {
                Ok(frame) => self.take(frame).await,
                Err(problem) => {
                    tracing::debug!(%problem, "a SPDY connection cannot be read any more");
                    Err(Broken(reason::PROTOCOL_ERROR))
                }
            };
            if let Err(Broken(reason)) = taken {
                self.say(Packet::GoAway(self.last, reason)).await;
                // The client is to hear it before the connection goes.
                let _ = tokio::time::timeout(LINGER, self.outbox.closed()).await;
                return;
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<(), Broken> {
        match frame {
            Frame::SynStream {
                id,
                fin,
                unidirectional: _,
                block,
            } => {
                let headers = self.decode(&block)?;
                self.open(id, fin, headers).await;
            }
            Frame::SynReply { block, .. } => {
                self.decode(&block)?;
            }
            Frame::Headers { id, fin, block } => {
                self.decode(&block)?;
                if fin {
                    self.table.finish(id);
                }
            }
            Frame::Data { id, fin, bytes } => self.data(id, fin, bytes).await,
            Frame::Reset { id, .. } => self.table.reset(id),
            Frame::Ping(number) if number % 2 == 1 => self.say(Packet::Pong(number)).await,
            Frame::GoAway { .. } => self.leaving = true,
            Frame::Settings(entries) => {
                let window = entries.iter().find(|(id, _)| *id == INITIAL_WINDOW);
                if let Some((_, value)) = window {
                    self.table.windows.announce(*value);
                }
            }
            Frame::WindowUpdate { id, bytes } => {
                if self.table.windows.enlarge(id, bytes).is_err() {
                    if id == 0 {
                        return Err(Broken(reason::PROTOCOL_ERROR));
                    }
                    self.table.reset(id);
                    self.say(Packet::Reset(id, reason::FLOW_CONTROL_ERROR)).await;
                }
            }
            Frame::Ping(_) | Frame::Unknown => {}
        }
        Ok(())
    }

    fn decode(&mut self, block: &[u8]) -> Result<Headers, Broken> {
        self.headers.decode(block).map_err(|problem| {
            tracing::debug!(%problem, "headers of a SPDY connection cannot be read");
            Broken(reason::PROTOCOL_ERROR)
        })
    }

    async fn open(&mut self, id: u32, fin: bool, headers: Headers) {
        // Streams of clients have odd numbers, each higher than those before.
        if id.is_multiple_of(2) || id <= self.last {
            return self.say(Packet::Reset(id, reason::PROTOCOL_ERROR)).await;
        }
        self.last = id;
        if self.leaving || !self.table.has_room() {
            return self.say(Packet::Reset(id, reason::REFUSED_STREAM)).await;
        }
        let counted = self.table.windows.are_announced();
        let (inlet, incoming) = inlet(counted.then(|| (id, self.outbox.clone())));
        let credit = self.table.windows.open(id);
        let (sending, reset) = self.table.open(id, (!fin).then_some(inlet));
        self.say(Packet::Reply(id)).await;
        let outgoing = Outgoing::counted(id, self.outbox.clone(), credit, reset, sending);
        let opened = Opened {
            headers,
            incoming,
            outgoing,
        };
        // Nobody looks at streams any more when the other side is done.
        let _ = self.open.send(opened).await;
    }

    async fn data(&mut self, id: u32, fin: bool, bytes: Bytes) {
        match self.table.inlet(id) {
            Some(inlet) => inlet.put(bytes).await,
            // To a stream that has ended it may come late.
            None if id <= self.last => {}
            None => return self.say(Packet::Reset(id, reason::INVALID_STREAM)).await,
        }
        if fin {
            self.table.finish(id);
        }
    }

    async fn say(&mut self, packet: Packet) {
        // A connection that cannot be written to ends for both sides.
        let _ = self.outbox.send(packet).await;
    }
}

/// Writes until the last packet has been said or nobody is left to say one.
async fn write<W: AsyncWrite + Unpin>(
    mut queue: mpsc::Receiver<Packet>,
    mut writer: W,
    mut headers: HeaderEncoder,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    while let Some(packet) = queue.recv().await {
        let mut last = encode(packet, &mut headers, &mut buffer)?;
        while !last && buffer.len() < GATHERED_BYTES {
            let Ok(packet) = queue.try_recv() else { break };
            last = encode(packet, &mut headers, &mut buffer)?;
        }
        writer.write_all_buf(&mut buffer).await?;
        writer.flush().await?;
        if last {
            return writer.shutdown().await;
        }
    }
    Ok(())
}

/// Turns a packet into a frame; true when it is the last one.
fn encode(packet: Packet, headers: &mut HeaderEncoder, to: &mut BytesMut) -> io::Result<bool> {
    let last = matches!(packet, Packet::GoAway(..));
    let frame = match packet {
        Packet::Reply(id) => Frame::SynReply {
            id,
            fin: false,
            block: headers.encode(&Headers::default())?,
        },
        // An empty piece would mean nothing here.
        Packet::Data(_, bytes) if bytes.is_empty() => return Ok(false),
        Packet::Data(id, bytes) => Frame::Data {
            id,
            fin: false,
            bytes,
        },
        Packet::Finish(id) => Frame::Data {
            id,
            fin: true,
            bytes: Bytes::new(),
        },
        Packet::Reset(id, reason) => Frame::Reset { id, reason },
        Packet::Pong(number) => Frame::Ping(number),
        Packet::Consumed(id, bytes) => Frame::WindowUpdate { id, bytes },
        Packet::GoAway(last, reason) => Frame::GoAway { last, reason },
    };
    frame.encode(to);
    Ok(last)
}

#[cfg(test)]
mod tests;
