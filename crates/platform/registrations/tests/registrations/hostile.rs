//! Clients that mean no good: slow, many, long, not text; and idents that do.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use toolforge_registrations::Event;

use crate::scene::{DEADLINE, Ident, Scene, read_all, server};

#[tokio::test]
async fn what_is_no_text_or_too_long_fails() {
    let scene = Scene::new().await;
    for bytes in [
        b"\xff\xfe\xfd\n".to_vec(),
        b"register\n\xff\nhttp://127.0.0.1:4000\n".to_vec(),
        vec![b'x'; 100_000],
        [&b"register\n"[..], &vec![b'y'; 100_000]].concat(),
        b"\0\0\0\0\n".to_vec(),
    ] {
        let mut stream = TcpStream::connect(scene.lines).await.unwrap();
        // It may end before it has taken everything.
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
        assert!(
            answer == b"fail" || answer.is_empty() && bytes.len() > 4096,
            "{answer:?}"
        );
    }
    assert!(scene.routed.borrow().is_empty());
}

#[tokio::test]
async fn a_slow_client_is_cut_off_and_keeps_nobody_waiting() {
    let scene = Scene::new().await;
    let (address, _server) = server("").await;
    let mut slow = TcpStream::connect(scene.lines).await.unwrap();
    slow.write_all(b"regis").await.unwrap();
    let began = Instant::now();
    scene.register("tools.beta", address).await;
    assert!(began.elapsed() < Duration::from_secs(9), "others wait");
    assert_eq!(read_all(&mut slow).await, "fail");
}

#[tokio::test]
async fn a_silent_ident_is_given_up() {
    let scene = Scene::new().await;
    scene.ident.send_replace(Ident::Silence);
    let answer = scene.send("register\n.*\nhttp://127.0.0.1:4000\n").await;
    assert_eq!(
        answer,
        "Identd authentication failed. Please contact an administrator"
    );
}

#[tokio::test]
async fn a_flood_of_one_address_is_turned_away() {
    let scene = Scene::new().await;
    scene.ident.send_replace(Ident::Silence);
    let mut flood = Vec::new();
    for _ in 0..40 {
        flood.push(TcpStream::connect(scene.lines).await.unwrap());
    }
    // The last of them is over its share, and ends without an answer.
    assert_eq!(read_all(flood.last_mut().unwrap()).await, "");
    assert_eq!(scene.seen.figures().count(Event::TurnedAway), 8);
}
