//! Frames, streams, settings and flow control (RFC 9113 3 to 6).

use super::peer::{
    ACK, COMPRESSION, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL, FRAME_SIZE, GOAWAY, HEADERS,
    Outcome, PADDED, PING, PRIORITY, PROTOCOL, PUSH_PROMISE, Peer, REFUSED, RST_STREAM, SETTINGS,
    STREAM_CLOSED, WINDOW_UPDATE, fields, frame, get, settings,
};
use crate::{
    scene::Scene,
    tools::{Tool, text},
};

/// A scene with a tool that answers everything.
async fn scene() -> (Scene, Tool) {
    let (scene, tool) = (Scene::new().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    (scene, tool)
}

const BOTH: u8 = END_STREAM | END_HEADERS;

/// A request that goes on with a body.
fn post() -> Vec<u8> {
    fields(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "alpha.toolforge.test"),
    ])
}

/// What is written, and the code with which the connection ends.
type Case = (&'static str, Vec<u8>, u32);

fn after(first: &[u8], then: &[u8]) -> Vec<u8> {
    [first, then].concat()
}

/// Blocks of fields and streams (4.2, 4.3, 5.1, RFC 7541).
fn of_blocks_and_streams() -> Vec<Case> {
    let body = frame(HEADERS, END_HEADERS, 1, &post());
    let (long, zero) = (vec![0; 16_385], [0; 4]);
    vec![
        // 4.2: longer than SETTINGS_MAX_FRAME_SIZE.
        ("HEADERS too long", frame(HEADERS, BOTH, 1, &long), FRAME_SIZE),
        (
            "SETTINGS too long",
            frame(SETTINGS, 0, 0, &[0; 16_386]),
            FRAME_SIZE,
        ),
        (
            "DATA too long",
            after(&body, &frame(DATA, 0, 1, &long)),
            FRAME_SIZE,
        ),
        // 4.3 and RFC 7541.
        ("index 0", frame(HEADERS, BOTH, 1, &[0x80]), COMPRESSION),
        (
            "index past the tables",
            frame(HEADERS, BOTH, 1, &[0xfe]),
            COMPRESSION,
        ),
        (
            "block cut short",
            frame(HEADERS, BOTH, 1, &[0x00, 0x05, b'a']),
            COMPRESSION,
        ),
        (
            "table larger than allowed",
            frame(HEADERS, BOTH, 1, &[0x3f, 0xe1, 0xff, 0x03]),
            COMPRESSION,
        ),
        (
            "number that overflows",
            frame(
                HEADERS,
                BOTH,
                1,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            ),
            COMPRESSION,
        ),
        (
            "Huffman padding of a byte",
            frame(HEADERS, BOTH, 1, &[0x00, 0x81, 0xff, 0x01, b'x']),
            COMPRESSION,
        ),
        (
            "END_OF_STRING in Huffman",
            frame(
                HEADERS,
                BOTH,
                1,
                &[0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, b'x'],
            ),
            COMPRESSION,
        ),
        // 5.1: streams that were never opened.
        ("DATA on an idle stream", frame(DATA, 0, 1, b"x"), PROTOCOL),
        (
            "RST_STREAM on an idle stream",
            frame(RST_STREAM, 0, 1, &zero),
            PROTOCOL,
        ),
        (
            "WINDOW_UPDATE on an idle stream",
            frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
            PROTOCOL,
        ),
        // 5.1.1.
        ("an even stream", frame(HEADERS, BOTH, 2, &get()), PROTOCOL),
        (
            "a stream below the last",
            after(&frame(HEADERS, BOTH, 5, &get()), &frame(HEADERS, BOTH, 3, &get())),
            PROTOCOL,
        ),
    ]
}

/// Where frames stand, and how long they are (6.1 to 6.8).
fn of_frames() -> Vec<Case> {
    let open = frame(HEADERS, BOTH, 1, &get());
    let half = frame(HEADERS, 0, 1, &get());
    let body = frame(HEADERS, END_HEADERS, 1, &post());
    let zero = [0; 4];
    vec![
        // 6: streams that frames may not be on.
        ("DATA on stream 0", frame(DATA, 0, 0, b"x"), PROTOCOL),
        ("HEADERS on stream 0", frame(HEADERS, BOTH, 0, &get()), PROTOCOL),
        ("PRIORITY on stream 0", frame(PRIORITY, 0, 0, &[0; 5]), PROTOCOL),
        ("RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, &zero), PROTOCOL),
        ("SETTINGS on a stream", frame(SETTINGS, 0, 1, &[]), PROTOCOL),
        ("PING on a stream", frame(PING, 0, 1, &[0; 8]), PROTOCOL),
        ("GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL),
        (
            "CONTINUATION on stream 0",
            after(&half, &frame(CONTINUATION, END_HEADERS, 0, &[])),
            PROTOCOL,
        ),
        (
            "PUSH_PROMISE of a client",
            after(&open, &frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])),
            PROTOCOL,
        ),
        // 6: lengths.
        (
            "RST_STREAM of 3 bytes",
            after(&open, &frame(RST_STREAM, 0, 1, &[0; 3])),
            FRAME_SIZE,
        ),
        ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE),
        (
            "acknowledgement with settings",
            frame(SETTINGS, ACK, 0, &[0; 6]),
            FRAME_SIZE,
        ),
        ("PING of 7 bytes", frame(PING, 0, 0, &[0; 7]), FRAME_SIZE),
        (
            "WINDOW_UPDATE of 3 bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
            FRAME_SIZE,
        ),
        ("GOAWAY of 7 bytes", frame(GOAWAY, 0, 0, &[0; 7]), FRAME_SIZE),
        // 6.1 and 6.2: padding.
        (
            "HEADERS with more padding than there is",
            frame(HEADERS, BOTH | PADDED, 1, &[200, 0x82]),
            PROTOCOL,
        ),
        (
            "DATA with more padding than there is",
            after(&body, &frame(DATA, PADDED, 1, &[9, 0])),
            PROTOCOL,
        ),
    ]
}

/// Settings, windows and blocks in parts (6.5.2, 6.9, 6.10).
fn of_settings_windows_and_parts() -> Vec<Case> {
    let open = frame(HEADERS, BOTH, 1, &get());
    let half = frame(HEADERS, 0, 1, &get());
    let zero = [0; 4];
    vec![
        // 6.5.2.
        ("ENABLE_PUSH 2", settings(&[(2, 2)]), PROTOCOL),
        (
            "INITIAL_WINDOW_SIZE past 2^31-1",
            settings(&[(4, 1 << 31)]),
            FLOW_CONTROL,
        ),
        ("MAX_FRAME_SIZE below 2^14", settings(&[(5, 16_383)]), PROTOCOL),
        ("MAX_FRAME_SIZE past 2^24-1", settings(&[(5, 1 << 24)]), PROTOCOL),
        // 6.9.
        (
            "WINDOW_UPDATE of nothing",
            frame(WINDOW_UPDATE, 0, 0, &zero),
            PROTOCOL,
        ),
        (
            "window past 2^31-1",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            FLOW_CONTROL,
        ),
        // 6.2 and 6.10: nothing stands between a HEADERS and its CONTINUATION.
        (
            "CONTINUATION of nothing",
            frame(CONTINUATION, END_HEADERS, 1, &get()),
            PROTOCOL,
        ),
        (
            "CONTINUATION after the end",
            after(&open, &frame(CONTINUATION, END_HEADERS, 1, &[])),
            PROTOCOL,
        ),
        (
            "CONTINUATION of another stream",
            after(&half, &frame(CONTINUATION, END_HEADERS, 3, &[])),
            PROTOCOL,
        ),
        (
            "PING within a block",
            after(&half, &frame(PING, 0, 0, &[0; 8])),
            PROTOCOL,
        ),
        (
            "HEADERS within a block",
            after(&half, &frame(HEADERS, BOTH, 3, &get())),
            PROTOCOL,
        ),
        (
            "unknown frame within a block",
            after(&half, &frame(0x42, 0, 1, b"x")),
            PROTOCOL,
        ),
    ]
}

#[tokio::test]
async fn errors_of_the_connection_end_it_with_their_code() {
    let (scene, _tool) = scene().await;
    let tables = [
        of_blocks_and_streams(),
        of_frames(),
        of_settings_windows_and_parts(),
    ];
    let mut wrong = Vec::new();
    for (name, bytes, code) in tables.into_iter().flatten() {
        let mut peer = Peer::new(&scene).await;
        peer.write(&bytes).await;
        // A stream that nobody opened is never answered.
        let outcome = peer.outcome(101).await;
        // h2 says PROTOCOL_ERROR for some that have a code of their own, which RFC 9113 7 keeps for those that have none.
        if !matches!(outcome, Outcome::Gone(gone) if gone == code || gone == PROTOCOL) {
            wrong.push(format!("{name}: {outcome:?}, and not {code}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn errors_of_a_stream_end_it_with_their_code() {
    let (scene, _tool) = scene().await;
    let begun = frame(HEADERS, END_HEADERS, 1, &post());
    for (name, bytes, code) in [
        (
            "WINDOW_UPDATE of nothing",
            after(&begun, &frame(WINDOW_UPDATE, 0, 1, &[0; 4])),
            PROTOCOL,
        ),
        (
            "window past 2^31-1",
            after(&begun, &frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff])),
            FLOW_CONTROL,
        ),
        (
            "trailers without an end",
            after(&begun, &frame(HEADERS, END_HEADERS, 1, &fields(&[("a", "b")]))),
            PROTOCOL,
        ),
    ] {
        let mut peer = Peer::new(&scene).await;
        peer.write(&bytes).await;
        match peer.outcome(1).await {
            Outcome::Reset(reset) if reset == code => assert!(peer.serves(3).await, "{name}"),
            // 5.4.1 lets an error of a stream end the connection.
            Outcome::Gone(gone) if gone == code => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    // After its end a stream takes nothing more, and RFC 9113 5.1 leaves open how much of that ends.
    for kind in [DATA, HEADERS] {
        let mut peer = Peer::new(&scene).await;
        let payload = if kind == DATA { b"x".to_vec() } else { get() };
        let ended = frame(HEADERS, BOTH, 1, &get());
        peer.write(&after(&ended, &frame(kind, BOTH, 1, &payload))).await;
        let outcome = peer.outcome(1).await;
        let is_right = matches!(
            outcome,
            Outcome::Reset(STREAM_CLOSED) | Outcome::Gone(STREAM_CLOSED | PROTOCOL)
        );
        assert!(is_right, "{kind}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_is_allowed_is_borne() {
    let (scene, _tool) = scene().await;
    let padded = [&[3][..], &get(), &[0; 3]].concat();
    for (name, bytes) in [
        ("an unknown frame", frame(0x42, 0xff, 0, b"whatever")),
        ("an unknown setting", settings(&[(0x4242, 7)])),
        ("an acknowledgement", frame(SETTINGS, ACK, 0, &[])),
        ("a GREASE of a stream", frame(0x0b, 0, 1, b"x")),
        (
            "PRIORITY on an idle stream",
            frame(PRIORITY, 0, 7, &[0, 0, 0, 0, 9]),
        ),
        ("a long window", frame(WINDOW_UPDATE, 0, 0, &[0x3f, 0, 0, 0])),
        ("a padded head", frame(HEADERS, BOTH | PADDED, 1, &padded)),
        ("an acknowledged ping", frame(PING, ACK, 0, &[7; 8])),
        (
            "a smaller table",
            frame(HEADERS, BOTH, 1, &[&[0x20][..], &get()].concat()),
        ),
        (
            "a head in parts",
            [
                frame(HEADERS, END_STREAM, 1, &get()[..9]),
                frame(CONTINUATION, END_HEADERS, 1, &get()[9..]),
            ]
            .concat(),
        ),
    ] {
        let mut peer = Peer::new(&scene).await;
        peer.write(&bytes).await;
        assert!(peer.serves(9).await, "{name}");
    }
    let mut peer = Peer::new(&scene).await;
    peer.write(&frame(PING, 0, 0, b"01234567")).await;
    let answered = loop {
        let frame = peer.frame().await.unwrap();
        if frame.kind == PING {
            break frame;
        }
    };
    assert_eq!(
        (answered.flags, answered.stream, &answered.payload[..]),
        (ACK, 0, &b"01234567"[..])
    );
}

#[tokio::test]
async fn connection_that_begins_otherwise_is_closed() {
    let (scene, _tool) = scene().await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut peer = Peer::silent(&scene).await;
        peer.write(bytes).await;
        let outcome = peer.outcome(1).await;
        assert!(
            matches!(outcome, Outcome::Gone(PROTOCOL) | Outcome::Closed),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn more_streams_than_are_allowed_are_refused() {
    let scene = Scene::new().await;
    let tool = Tool::new(|_| async { std::future::pending().await }).await;
    scene.route("alpha", &[tool.address]);
    let mut peer = Peer::new(&scene).await;
    let mut allowed = 0;
    while let Some(frame) = peer.frame().await {
        if frame.kind == SETTINGS && frame.flags != ACK {
            for setting in frame.payload.chunks(6).filter(|setting| setting[..2] == [0, 3]) {
                allowed = u32::from_be_bytes(setting[2..].try_into().unwrap());
            }
            break;
        }
    }
    assert!((100..1000).contains(&allowed), "{allowed}");
    for number in 0..=allowed {
        peer.write(&frame(HEADERS, BOTH, 2 * number + 1, &get())).await;
    }
    let outcome = peer.outcome(2 * allowed + 1).await;
    assert!(
        matches!(outcome, Outcome::Reset(REFUSED | PROTOCOL)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn answer_comes_as_the_visitor_opens_its_window() {
    let scene = Scene::new().await;
    let tool = Tool::new(|_| async { text("abcdefgh") }).await;
    scene.route("alpha", &[tool.address]);
    // SETTINGS_INITIAL_WINDOW_SIZE.
    let mut peer = Peer::with(&scene, &[(4, 1)]).await;
    peer.write(&frame(HEADERS, BOTH, 1, &get())).await;
    let mut body = Vec::new();
    while body.len() < 8 {
        let came = peer.frame().await.unwrap();
        if came.kind == DATA {
            assert!(came.payload.len() <= 2, "{came:?}");
            body.extend_from_slice(&came.payload);
            peer.write(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 2])).await;
        }
    }
    assert_eq!(body, b"abcdefgh");
}
