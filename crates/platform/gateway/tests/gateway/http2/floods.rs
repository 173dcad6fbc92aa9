//! Visitors who ask for much and mean nothing: they hold a bounded amount of memory, and nobody else up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::peer::{
    CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, PING, PROTOCOL, Peer, RST_STREAM,
    fields, frame, get, settings,
};
use crate::{
    scene::{Scene, Version},
    tools::{Tool, text},
};

/// How long a visitor who reads nothing goes on writing before it counts as held up.
const HELD_UP: Duration = Duration::from_secs(2);

async fn scene() -> (Scene, Tool) {
    let (scene, tool) = (Scene::new().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    (scene, tool)
}

#[tokio::test]
async fn head_without_end_is_cut_off() {
    let (scene, _tool) = scene().await;
    for piece in [&b""[..], &fields(&[("x", "y")]), &vec![0; 16_000]] {
        let mut peer = Peer::new(&scene).await;
        peer.write(&frame(HEADERS, END_STREAM, 1, &get())).await;
        let flood = frame(CONTINUATION, 0, 1, piece).repeat(20);
        let mut bytes = 0;
        while peer.is_taken(&flood, HELD_UP).await && bytes < 16 * 1024 * 1024 {
            bytes += flood.len();
            if bytes > 2 * 1024 * 1024 {
                break;
            }
        }
        let outcome = peer.outcome(1).await;
        assert!(
            matches!(outcome, Outcome::Gone(CALM | PROTOCOL | 9) | Outcome::Closed),
            "{}: {outcome:?}",
            piece.len()
        );
    }
}

#[tokio::test]
async fn head_is_as_long_as_over_http_1_and_no_longer() {
    let (scene, _tool) = scene().await;
    let client = scene.client("alpha", Version::Http2);
    for (length, expected) in [(40_000, 200), (60_000, 200)] {
        let request = client
            .get(scene.url("alpha", "/"))
            .header("x", "y".repeat(length));
        assert_eq!(request.send().await.unwrap().status(), expected, "{length}");
    }
    let many = (0..200).fold(client.get(scene.url("alpha", "/")), |request, number| {
        request.header(format!("x-{number}"), "y")
    });
    assert_eq!(many.send().await.unwrap().status(), 431);
    let request = client
        .get(scene.url("alpha", "/"))
        .header("x", "y".repeat(70_000));
    let refused = request.send().await;
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status() == 431));
}

/// A field of 4 KiB in the table, and then named by one byte again and again (an HPACK bomb).
#[tokio::test]
async fn head_that_grows_when_it_is_read_is_refused() {
    let (scene, _tool) = scene().await;
    let mut peer = Peer::new(&scene).await;
    // 62 is the first index of the table that grows.
    let mut block = get();
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend(vec![b'y'; 4000]);
    block.extend(vec![0xbe; 12_000]);
    peer.write(&frame(
        HEADERS,
        END_STREAM | END_HEADERS,
        1,
        &block[..16_384.min(block.len())],
    ))
    .await;
    let outcome = peer.outcome(1).await;
    assert!(
        matches!(
            outcome,
            Outcome::Answered(431) | Outcome::Reset(_) | Outcome::Gone(_)
        ),
        "{outcome:?}"
    );
}

/// CVE-2023-44487: requests that are taken back at once.
#[tokio::test]
async fn requests_that_are_taken_back_end_the_connection() {
    let scene = Scene::new().await;
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (under_way.clone(), most.clone());
    let tool = Tool::new(move |_| {
        let (now, peak) = (now.clone(), peak.clone());
        async move {
            peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            let _guard = Less(now);
            tokio::task::yield_now().await;
            text("ok")
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let mut peer = Peer::new(&scene).await;
    let (request, mut number) = (get(), 1_u32);
    let mut flood = Vec::new();
    for _ in 0..20_000 {
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, number, &request));
        flood.extend(frame(RST_STREAM, 0, number, &[0, 0, 0, 8]));
        number += 2;
    }
    peer.is_taken(&flood, HELD_UP * 10).await;
    let outcome = peer.outcome(number).await;
    assert!(
        matches!(outcome, Outcome::Gone(CALM) | Outcome::Closed),
        "{outcome:?}"
    );
    assert!(most.load(Ordering::Relaxed) <= 200, "{most:?}");
    let other = scene.client("alpha", Version::Http2).get(scene.url("alpha", "/"));
    assert_eq!(other.send().await.unwrap().status(), 200);
}

struct Less(Arc<AtomicUsize>);

impl Drop for Less {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Frames that have to be answered, to a gateway whose answers nobody reads: it stops reading, and holds no more of them.
#[tokio::test]
async fn answers_that_nobody_reads_are_not_gathered() {
    let (scene, _tool) = scene().await;
    for flood in [frame(PING, 0, 0, &[7; 8]), settings(&[(4, 65_535)])] {
        let mut peer = Peer::new(&scene).await;
        let flood = flood.repeat(10_000);
        let mut bytes = 0;
        // What the system holds for both sides is some megabytes.
        while bytes < 64 * 1024 * 1024 && peer.is_taken(&flood, HELD_UP).await {
            bytes += flood.len();
        }
        assert!(bytes < 64 * 1024 * 1024, "{bytes}");
        let other = scene.client("alpha", Version::Http2).get(scene.url("alpha", "/"));
        assert_eq!(other.send().await.unwrap().status(), 200);
    }
}

/// Pieces of nothing.
#[tokio::test]
async fn body_of_empty_pieces_ends() {
    let scene = Scene::new().await;
    let tool = Tool::mirror().await;
    scene.route("alpha", &[tool.address]);
    let mut peer = Peer::new(&scene).await;
    let post = fields(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "alpha.toolforge.test"),
    ]);
    peer.write(&frame(HEADERS, END_HEADERS, 1, &post)).await;
    let flood = frame(DATA, 0, 1, b"").repeat(1000);
    for _ in 0..100 {
        if !peer.is_taken(&flood, HELD_UP).await {
            break;
        }
    }
    let outcome = peer.outcome(1).await;
    assert!(
        matches!(outcome, Outcome::Gone(CALM) | Outcome::Reset(_) | Outcome::Closed),
        "{outcome:?}"
    );
}
