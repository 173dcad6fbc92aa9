//! Visitors and tools that take too long over something: each has its time, and holds nothing beyond it. Over HTTP/2 that is in
//! `http2/slow.rs`.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    scene::{DEADLINE, LOOK_AGAIN, Raw, Scene, Version, pass},
    tools::{Tool, read_head, text},
};

const HEALTH: &str = "GET /.well-known/healthz HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n";
const UPLOAD: &str = "POST / HTTP/1.1\r\nhost: alpha.toolforge.test\r\ncontent-length: 10\r\n\r\nhello";

/// One request at a time, and no queue: whoever holds the place keeps everybody else out.
pub(crate) const ONE_PLACE: &str = "toolLimits: { requests: 1, queue: 0 }";

/// What a tool tells.
pub(crate) type Told = mpsc::UnboundedReceiver<&'static str>;

/// Whether the tool answers another visitor.
pub(crate) async fn is_served(scene: &Scene) -> bool {
    let client = scene.client("alpha", Version::Http1);
    let answer = client.get(scene.url("alpha", "/")).send().await.unwrap();
    answer.status() == 200
}

/// Waits until it does.
pub(crate) async fn until_served(scene: &Scene) {
    let looking = async {
        while !is_served(scene).await {
            sleep(LOOK_AGAIN).await;
        }
    };
    timeout(DEADLINE, looking).await.expect("the place is left");
}

/// A tool that answers GET at once, and anything else when it has ten bytes of a body. It tells when it has five of them, of each one
/// after those, and when the rest will not come.
pub(crate) async fn telling() -> (Tool, Told) {
    let (tell, told) = mpsc::unbounded_channel();
    let tool = Tool::on_connection(move |mut stream| {
        let tell = tell.clone();
        async move {
            loop {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                for byte in 1..=if head.starts_with("GET") { 0 } else { 10 } {
                    if stream.read_u8().await.is_err() {
                        tell.send("left").unwrap();
                        return;
                    }
                    if byte >= 5 {
                        tell.send("came").unwrap();
                    }
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await;
    (tool, told)
}

/// What the tool tells next.
pub(crate) async fn next(told: &mut Told) -> &'static str {
    timeout(DEADLINE, told.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_head_has_half_a_minute() {
    let scene = Scene::new().await;
    let (half, rest) = HEALTH.split_at(30);
    let mut visitor = scene.raw("alpha").await;
    visitor.send(half).await;
    pass(25).await;
    visitor.send(rest).await;
    visitor.until("proxy ok!").await;
    // So it is before the next request of a connection.
    pass(25).await;
    visitor.send(HEALTH).await;
    visitor.until("proxy ok!").await;

    let mut slow = scene.raw("alpha").await;
    slow.send(half).await;
    let mut silent = scene.raw("alpha").await;
    let mut plain = scene.raw_plain().await;
    plain.send(half).await;
    // What came before them has arrived when these are answered.
    for mut last in [scene.raw("alpha").await, scene.raw("alpha").await] {
        last.send(HEALTH).await;
        last.until("proxy ok!").await;
    }
    pass(31).await;
    for late in [&mut visitor, &mut slow, &mut silent] {
        assert_eq!(late.end().await, "");
    }
    assert_eq!(plain.end().await, "");
}

#[tokio::test]
async fn a_handshake_has_a_quarter_of_a_minute() {
    let scene = Scene::new().await;
    let mut silent = Raw::new(TcpStream::connect(scene.https).await.unwrap());
    // Who comes after it is served, so it was taken.
    scene.raw("alpha").await;
    pass(16).await;
    assert_eq!(silent.end().await, "");
}

#[tokio::test]
async fn a_body_that_stops_coming_is_the_visitors_fault_and_leaves_its_place() {
    let scene = Scene::new().await;
    scene.settings(ONE_PLACE);
    let (tool, mut told) = telling().await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor.send(UPLOAD).await;
    assert_eq!(next(&mut told).await, "came");
    // As long as something comes, it goes on.
    for _ in 0..2 {
        assert!(!is_served(&scene).await, "the place is taken");
        pass(50).await;
        visitor.send("w").await;
        assert_eq!(next(&mut told).await, "came");
    }
    pass(61).await;
    let answer = visitor.end().await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(next(&mut told).await, "left");
    until_served(&scene).await;
}

#[tokio::test]
async fn a_tool_that_has_answered_says_itself_how_long_it_waits_for_the_rest() {
    let scene = Scene::new().await;
    let (bring, mut brought) = mpsc::unbounded_channel();
    let tool = Tool::on_connection(move |mut stream| {
        let bring = bring.clone();
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut bytes = [0; 10];
            stream.read_exact(&mut bytes).await.unwrap();
            bring.send(bytes).unwrap();
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor.send(UPLOAD).await;
    visitor.until("HTTP/1.1 200 ").await;
    for _ in 0..5 {
        pass(120).await;
        visitor.send("w").await;
    }
    let came = timeout(DEADLINE, brought.recv()).await.unwrap();
    assert_eq!(came, Some(*b"hellowwwww"));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_leaves_its_place() {
    let scene = Scene::new().await;
    scene.settings(ONE_PLACE);
    let tool = large().await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor
        .send("GET /large HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n")
        .await;
    visitor.head().await;
    assert!(!is_served(&scene).await, "the place is taken");
    // Until all buffers are full it takes something.
    for _ in 0..20 {
        pass(61).await;
        if is_served(&scene).await {
            return;
        }
        sleep(LOOK_AGAIN).await;
    }
    unreachable!("the place is left");
}

/// A tool whose answer to `/large` is more than all buffers on the way hold.
pub(crate) async fn large() -> Tool {
    Tool::new(|request| async move {
        let is_large = request.uri().path() == "/large";
        text(vec![b'x'; if is_large { 32 * 1024 * 1024 } else { 2 }])
    })
    .await
}

#[tokio::test]
async fn a_tool_has_an_hour_and_no_more() {
    let scene = Scene::new().await;
    let (asked, mut told) = mpsc::unbounded_channel();
    let tool = Tool::on_connection(move |mut stream| {
        let asked = asked.clone();
        async move {
            read_head(&mut stream).await;
            asked.send(()).unwrap();
            let _ = stream.read(&mut [0]).await;
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor
        .send("GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n")
        .await;
    timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
    pass(3590).await;
    assert!(timeout(LOOK_AGAIN, visitor.head()).await.is_err(), "it waits");
    pass(11).await;
    let answer = visitor.head().await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
}
