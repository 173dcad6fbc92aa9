//! A tool that is at its limit is at its own: others do not notice.

use std::{sync::Arc, time::Instant};

use http::Method;
use tokio::{
    io::AsyncWriteExt as _,
    sync::{Semaphore, mpsc},
};

use crate::{
    scene::{DEADLINE, Scene, Version},
    tools::{Frames, Tool, read_head, text},
};

const UPGRADE: &str =
    "GET / HTTP/1.1\r\nhost: chat.toolforge.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/// A tool that answers as many requests as it has leave for, and tells of each that it got.
async fn hanging() -> (Tool, Arc<Semaphore>, mpsc::UnboundedReceiver<()>) {
    let (asked, told) = mpsc::unbounded_channel();
    let leave = Arc::new(Semaphore::new(0));
    let may = leave.clone();
    let tool = Tool::new(move |_| {
        let (may, asked) = (may.clone(), asked.clone());
        async move {
            asked.send(()).unwrap();
            may.acquire().await.unwrap().forget();
            text("at last")
        }
    })
    .await;
    (tool, leave, told)
}

#[tokio::test]
async fn tool_that_hangs_takes_nothing_from_another() {
    let scene = Arc::new(Scene::new().await);
    scene.settings("toolLimits: { requests: 2, queue: 1, queueSeconds: 60 }");
    let (hangs, leave, mut asked) = hanging().await;
    let good = Tool::named("beta").await;
    scene.route("alpha", &[hangs.address]);
    scene.route("beta", &[good.address]);
    let ask = |version| {
        let request = scene.client("alpha", version).get(scene.url("alpha", "/"));
        tokio::spawn(async move { request.send().await.unwrap().text().await.unwrap() })
    };
    let mut waiting = vec![ask(Version::Http1), ask(Version::Http2)];
    for _ in 0..2 {
        tokio::time::timeout(DEADLINE, asked.recv())
            .await
            .unwrap()
            .unwrap();
    }
    // Of the next ones one waits for its turn, the others hear at once that there is none.
    waiting.extend([ask(Version::Http1), ask(Version::Http2), ask(Version::Http1)]);
    let turned_away = async {
        let mut turned_away = 0;
        while turned_away < 2 {
            let (said, _, rest) = futures::future::select_all(waiting).await;
            assert!(said.unwrap().contains("Please try again in a moment"));
            (waiting, turned_away) = (rest, turned_away + 1);
        }
        waiting
    };
    let waiting = tokio::time::timeout(DEADLINE, turned_away).await.unwrap();
    let response = scene.client("alpha", Version::Http1).get(scene.url("alpha", "/"));
    let response = response.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"60".parse().unwrap())
    );
    assert_eq!(
        response.headers()["strict-transport-security"],
        "max-age=31622400"
    );

    let (client, began) = (scene.client("beta", Version::Http1), Instant::now());
    for _ in 0..50 {
        let response = client.get(scene.url("beta", "/")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "beta");
    }
    assert!(began.elapsed() < DEADLINE);
    assert!(
        asked.try_recv().is_err(),
        "nothing more was sent to the tool that hangs"
    );
    leave.add_permits(3);
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), "at last");
    }
    asked.try_recv().unwrap();
}

#[tokio::test]
async fn one_tool_may_have_less_than_others() {
    let scene = Scene::new().await;
    scene.settings("toolLimits: { requests: 2, queue: 0, tools: { alpha: { requests: 1 } } }");
    let (hangs, leave, mut asked) = hanging().await;
    for (tool, room) in [("alpha", 1), ("beta", 2)] {
        scene.route(tool, &[hangs.address]);
        let client = scene.client(tool, Version::Http2);
        let get = || tokio::spawn(client.get(scene.url(tool, "/")).send());
        let mut under_way = Vec::new();
        for _ in 0..room {
            under_way.push(get());
            tokio::time::timeout(DEADLINE, asked.recv())
                .await
                .unwrap()
                .unwrap();
        }
        assert_eq!(get().await.unwrap().unwrap().status(), 503, "{tool}");
        leave.add_permits(room);
        for answer in under_way {
            assert_eq!(answer.await.unwrap().unwrap().status(), 200, "{tool}");
        }
    }
}

#[tokio::test]
async fn answer_counts_until_its_last_byte_and_who_leaves_does_not() {
    let scene = Scene::new().await;
    scene.settings("toolLimits: { requests: 1, queue: 0 }");
    let frames = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let tool = Tool::new({
        let frames = frames.clone();
        move |_| {
            let (sender, body) = Frames::body();
            frames.lock().push(sender);
            async move { http::Response::new(body) }
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let client = scene.client("alpha", Version::Http1);
    let get = async || {
        client
            .request(Method::GET, scene.url("alpha", "/"))
            .send()
            .await
            .unwrap()
    };
    let streaming = get().await;
    assert_eq!(streaming.status(), 200);
    assert_eq!(get().await.status(), 503);
    frames.lock().clear();
    assert_eq!(streaming.text().await.unwrap(), "");
    let left = get().await;
    assert_eq!(left.status(), 200);
    drop(left);
    let again = async {
        while get().await.status() != 200 {
            tokio::time::sleep(crate::scene::LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(DEADLINE, again)
        .await
        .expect("its place is free again");
}

#[tokio::test]
async fn upgraded_connections_have_a_limit_of_their_own() {
    let scene = Scene::new().await;
    scene.settings("toolLimits: { requests: 1, upgradedConnections: 1, queue: 0 }");
    let tool = Tool::on_connection(|mut stream| async move {
        while read_head(&mut stream).await.contains("upgrade") {
            let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
            stream.write_all(switch.as_bytes()).await.unwrap();
        }
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await;
    })
    .await;
    scene.route("chat", &[tool.address]);
    let mut first = scene.raw("chat").await;
    first.send(UPGRADE).await;
    assert!(first.head().await.starts_with("HTTP/1.1 101 "));
    let mut second = scene.raw("chat").await;
    second.send(UPGRADE).await;
    let head = second.head().await;
    assert!(
        head.starts_with("HTTP/1.1 503 ") && head.contains("retry-after: 5\r\n"),
        "{head}"
    );
    // The first is no request any more.
    let client = scene.client("chat", Version::Http1);
    let response = client.get(scene.url("chat", "/")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    drop(first);
    let again = async {
        loop {
            let mut third = scene.raw("chat").await;
            third.send(UPGRADE).await;
            if third.head().await.starts_with("HTTP/1.1 101 ") {
                return;
            }
        }
    };
    tokio::time::timeout(DEADLINE, again)
        .await
        .expect("its place is free again");
}
