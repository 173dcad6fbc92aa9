use bytes::BufMut as _;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

use super::*;

/// How long a condition may take on a loaded machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// A client that speaks frames.
struct Client {
    headers: HeaderEncoder,
    frames: FramedRead<ReadHalf<DuplexStream>, FrameDecoder>,
    writer: WriteHalf<DuplexStream>,
}

fn connect() -> (Session, Client) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(ours);
    let session = Session::start(reader, writer).expect("session");
    let (reader, writer) = tokio::io::split(theirs);
    let client = Client {
        headers: HeaderEncoder::new().expect("codec"),
        frames: FramedRead::new(reader, FrameDecoder::default()),
        writer,
    };
    (session, client)
}

impl Client {
    async fn send(&mut self, frame: Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.writer.write_all(&bytes).await.expect("sent");
    }

    async fn open(&mut self, id: u32) {
        let headers = Headers::from([("streamtype", "stdin")]);
        let block = self.headers.encode(&headers).expect("encoded");
        let (fin, unidirectional) = (false, false);
        self.send(Frame::SynStream {
            id,
            fin,
            unidirectional,
            block,
        })
        .await;
    }

    async fn data(&mut self, id: u32, bytes: &'static [u8], fin: bool) {
        let bytes = Bytes::from_static(bytes);
        self.send(Frame::Data { id, fin, bytes }).await;
    }

    async fn next(&mut self) -> Option<Frame> {
        let next = tokio::time::timeout(DEADLINE, self.frames.next()).await;
        next.expect("in time").map(|frame| frame.expect("a frame"))
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("in time")
}

#[tokio::test]
async fn a_stream_carries_bytes_both_ways_and_ends() {
    let (mut session, mut client) = connect();
    client.open(1).await;
    client.data(1, b"hello", true).await;
    let mut opened = within(session.next()).await.expect("a stream");
    assert_eq!(opened.headers.get("streamtype"), Some("stdin"));
    assert_eq!(
        within(opened.incoming.next()).await.as_deref(),
        Some(b"hello".as_slice())
    );
    assert_eq!(within(opened.incoming.next()).await, None);
    assert!(matches!(client.next().await, Some(Frame::SynReply { id: 1, .. })));
    opened
        .outgoing
        .send(Bytes::from_static(b"back"))
        .await
        .expect("sent");
    opened.outgoing.finish().await;
    session.close().await;
    let mut said = Vec::new();
    while let Some(frame) = client.next().await {
        said.push(frame);
    }
    let data = |fin, bytes: &'static [u8]| Frame::Data {
        id: 1,
        fin,
        bytes: Bytes::from_static(bytes),
    };
    let bye = Frame::GoAway { last: 0, reason: 0 };
    assert_eq!(said, [data(false, b"back"), data(true, b""), bye]);
}

#[tokio::test]
async fn pings_of_the_client_come_back() {
    let (_session, mut client) = connect();
    client.send(Frame::Ping(2)).await;
    client.send(Frame::Ping(7)).await;
    assert_eq!(client.next().await, Some(Frame::Ping(7)));
}

#[tokio::test]
async fn a_stream_that_is_taken_back_takes_nothing_more() {
    let (mut session, mut client) = connect();
    client.open(1).await;
    let mut opened = within(session.next()).await.expect("a stream");
    client.send(Frame::Reset { id: 1, reason: 5 }).await;
    within(opened.outgoing.gone()).await;
    assert_eq!(within(opened.incoming.next()).await, None);
    assert!(opened.outgoing.send(Bytes::from_static(b"x")).await.is_err());
}

#[tokio::test]
async fn numbers_of_streams_only_grow_and_are_odd() {
    let (mut session, mut client) = connect();
    client.open(3).await;
    client.open(1).await;
    client.open(4).await;
    within(session.next()).await.expect("the first");
    assert!(matches!(client.next().await, Some(Frame::SynReply { id: 3, .. })));
    assert_eq!(client.next().await, Some(Frame::Reset { id: 1, reason: 1 }));
    assert_eq!(client.next().await, Some(Frame::Reset { id: 4, reason: 1 }));
}

#[tokio::test]
async fn nonsense_ends_the_connection_with_a_word() {
    let (mut session, mut client) = connect();
    let mut bytes = BytesMut::new();
    bytes.put_u32(0x8002_0001);
    bytes.put_u32(0);
    client.writer.write_all(&bytes).await.expect("sent");
    assert_eq!(client.next().await, Some(Frame::GoAway { last: 0, reason: 1 }));
    assert!(within(session.next()).await.is_none());
    within(session.gone().cancelled()).await;
}

#[tokio::test]
async fn everything_ends_when_the_client_goes() {
    let (mut session, mut client) = connect();
    client.open(1).await;
    let mut opened = within(session.next()).await.expect("a stream");
    drop(client);
    assert_eq!(within(opened.incoming.next()).await, None);
    within(opened.outgoing.gone()).await;
    within(session.gone().cancelled()).await;
}

#[tokio::test]
async fn a_client_that_counts_is_counted_for() {
    let (mut session, mut client) = connect();
    client.send(Frame::Settings(vec![(INITIAL_WINDOW, 4)])).await;
    client.open(1).await;
    client.data(1, b"12", false).await;
    let mut opened = within(session.next()).await.expect("a stream");
    assert!(matches!(client.next().await, Some(Frame::SynReply { .. })));
    within(opened.incoming.next()).await.expect("bytes");
    for id in [1, 0] {
        assert_eq!(client.next().await, Some(Frame::WindowUpdate { id, bytes: 2 }));
    }
    let sending = tokio::spawn(async move { opened.outgoing.send(Bytes::from_static(b"abcdef")).await });
    let data = |bytes: &'static [u8]| {
        Some(Frame::Data {
            id: 1,
            fin: false,
            bytes: Bytes::from_static(bytes),
        })
    };
    assert_eq!(client.next().await, data(b"abcd"));
    client.send(Frame::WindowUpdate { id: 1, bytes: 9 }).await;
    assert_eq!(client.next().await, data(b"ef"));
    assert_eq!(within(sending).await.expect("task"), Ok(()));
}
