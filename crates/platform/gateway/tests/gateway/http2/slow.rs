//! Visitors over HTTP/2 who stop in the middle of something, on a connection that lives: what they hold is given back.

use tokio::time::timeout;
use toolforge_routing::AppProtocol;

use super::peer::{DATA, END_HEADERS, END_STREAM, HEADERS, Outcome, Peer, fields, frame, get};
use crate::{
    h2c,
    scene::{DEADLINE, Scene, pass},
    slow::{ONE_PLACE, is_served, large, next, telling, until_served},
};

/// The code of what is given up.
const CANCEL: u32 = 8;

const BOTH: u8 = END_STREAM | END_HEADERS;

#[tokio::test]
async fn a_body_that_stops_coming_leaves_its_place() {
    let scene = Scene::new().await;
    scene.settings(ONE_PLACE);
    let (tool, mut told) = telling().await;
    scene.route("alpha", &[tool.address]);
    let post = fields(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/"),
        (":authority", "alpha.toolforge.test"),
        ("content-length", "10"),
    ]);
    let half = [frame(HEADERS, END_HEADERS, 1, &post), frame(DATA, 0, 1, b"hello")].concat();
    let mut peer = Peer::new(&scene).await;
    peer.write(&half).await;
    assert_eq!(next(&mut told).await, "came");
    assert!(!is_served(&scene).await, "the place is taken");
    pass(61).await;
    assert_eq!(peer.outcome(1).await, Outcome::Answered(408));
    assert_eq!(next(&mut told).await, "left");
    until_served(&scene).await;

    // A tool over HTTP/2 is not kept waiting either.
    let tool = h2c::tool(100, h2c::seen).await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let mut peer = Peer::new(&scene).await;
    peer.write(&half).await;
    let looking = async { while is_served(&scene).await {} };
    timeout(DEADLINE, looking).await.expect("the place is taken");
    pass(61).await;
    assert_eq!(peer.outcome(1).await, Outcome::Answered(408));
    until_served(&scene).await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_leaves_its_place_and_the_connection_lives() {
    let scene = Scene::new().await;
    scene.settings(ONE_PLACE);
    let tool = large().await;
    scene.route("alpha", &[tool.address]);
    let request = fields(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/large"),
        (":authority", "alpha.toolforge.test"),
    ]);
    // Bytes that the visitor has room for: of the stream, and of the connection at most 65,535.
    for (window, taken) in [(0, 0), (1000, 1000), (70_000, 65_535)] {
        let mut peer = Peer::with(&scene, &[(4, window)]).await;
        peer.write(&frame(HEADERS, BOTH, 1, &request)).await;
        assert_eq!(peer.outcome(1).await, Outcome::Answered(200));
        let mut bytes = 0;
        while bytes < taken {
            bytes += match peer.frame().await.unwrap() {
                data if data.kind == DATA => data.payload.len(),
                _ => 0,
            };
        }
        assert!(!is_served(&scene).await, "the place is taken");
        pass(121).await;
        assert_eq!(peer.outcome(1).await, Outcome::Reset(CANCEL), "{window}");
        until_served(&scene).await;
        peer.write(&frame(HEADERS, BOTH, 3, &get())).await;
        assert_eq!(peer.outcome(3).await, Outcome::Answered(200));
        drop(peer);
        until_served(&scene).await;
    }
}
