//! What HTTP/1.1 has besides a request and its answer: connections that are kept, requests sent ahead, bodies that go
//! both ways at once, and visitors who leave.

use bytes::Bytes;
use futures::StreamExt as _;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};

use crate::{
    scene::{DEADLINE, Scene, Version},
    tools::{Frames, Tool, read_head},
};

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let (scene, tool) = (Scene::new().await, Tool::mirror().await);
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    let post = "POST /2 HTTP/1.1\r\nhost: alpha.toolforge.test\r\ntransfer-encoding: chunked\r\n\r\n\
                2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n";
    let get =
        |path: &str, end: &str| format!("GET {path} HTTP/1.1\r\nhost: alpha.toolforge.test\r\n{end}\r\n");
    let (first, last) = (get("/1", ""), get("/3", "connection: close\r\n"));
    visitor.send(&format!("{first}{post}\r\n{last}")).await;
    let answers = visitor.end().await;
    let asked: Vec<_> = answers
        .lines()
        .filter(|line| line.starts_with("GET ") || line.starts_with("POST "))
        .collect();
    assert_eq!(asked, ["GET /1", "POST /2", "GET /3"], "{answers}");
    assert!(answers.contains("\n\nabc"), "{answers}");
    assert_eq!(
        answers.matches("connection: close").count(),
        1,
        "the last one says so: {answers}"
    );
}

#[tokio::test]
async fn old_clients_get_what_they_understand() {
    let scene = Scene::new().await;
    let sized = Tool::named("alpha").await;
    scene.route("alpha", &[sized.address]);
    let unsized_tool = Tool::new(|_| async {
        let (sender, body) = Frames::body();
        for part in ["one ", "two"] {
            sender
                .send(Frame::data(Bytes::from_static(part.as_bytes())))
                .unwrap();
        }
        Response::new(body)
    })
    .await;
    scene.route("beta", &[unsized_tool.address]);
    // A length lets the connection be kept, if the client says that it can.
    let mut visitor = scene.raw("alpha").await;
    for _ in 0..2 {
        visitor
            .send("GET / HTTP/1.0\r\nhost: alpha.toolforge.test\r\nconnection: keep-alive\r\n\r\n")
            .await;
        let head = visitor.head().await;
        assert!(
            head.contains("connection: keep-alive\r\n") && head.contains("content-length: 5\r\n"),
            "{head}"
        );
        assert_eq!(visitor.until("alpha").await, "alpha");
    }
    // Without one the end of the connection is the end of the body.
    let mut visitor = scene.raw("beta").await;
    visitor
        .send("GET / HTTP/1.0\r\nhost: beta.toolforge.test\r\nconnection: keep-alive\r\n\r\n")
        .await;
    let answer = visitor.end().await;
    assert!(
        answer.contains("connection: close\r\n") && !answer.contains("transfer-encoding"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\none two"), "{answer}");
}

#[tokio::test]
async fn large_bodies_arrive_whole_both_ways() {
    let scene = Scene::new().await;
    scene.settings("requestBodyLimitBytes: 16777216\n");
    let tool = Tool::new(|request| async move {
        let frames = request
            .into_body()
            .map_frame(|frame| frame)
            .map_err(|error| panic!("{error}"));
        Response::new(frames.boxed())
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let sent: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for version in [Version::Http1, Version::Http2] {
        let client = scene.client("alpha", version);
        let parts: Vec<_> = sent
            .chunks(100_000)
            .map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part)))
            .collect();
        for body in [
            reqwest::Body::from(sent.clone()),
            reqwest::Body::wrap_stream(futures::stream::iter(parts)),
        ] {
            let response = client
                .post(scene.url("alpha", "/"))
                .body(body)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 200, "{version:?}");
            let came = response.bytes().await.unwrap();
            assert!(
                came == sent,
                "{version:?}: {} bytes came of {}",
                came.len(),
                sent.len()
            );
        }
    }
}

#[tokio::test]
async fn tool_may_answer_before_it_has_the_whole_request() {
    let scene = Scene::new().await;
    let tool = Tool::new(|request| async move {
        let (sender, body) = Frames::body();
        tokio::spawn(async move {
            let mut parts = request.into_body().into_data_stream();
            while let Some(Ok(part)) = parts.next().await {
                let _ = sender.send(Frame::data(part.to_ascii_uppercase().into()));
            }
        });
        Response::new(body)
    })
    .await;
    scene.route("alpha", &[tool.address]);
    for version in [Version::Http1, Version::Http2] {
        let (parts, coming) = mpsc::unbounded_channel::<Result<Bytes, std::io::Error>>();
        let body = tokio_stream(coming);
        parts.send(Ok("one".into())).unwrap();
        let response = scene
            .client("alpha", version)
            .post(scene.url("alpha", "/"))
            .body(body)
            .send()
            .await
            .unwrap();
        let mut answer = response.bytes_stream();
        assert_eq!(answer.next().await.unwrap().unwrap(), "ONE", "{version:?}");
        // The answer has begun, and the request goes on.
        parts.send(Ok("two".into())).unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), "TWO", "{version:?}");
        drop(parts);
        // HTTP/2 may say that this was all with a piece of nothing.
        while let Some(rest) = answer.next().await {
            assert_eq!(rest.unwrap(), "", "{version:?}");
        }
    }
}

fn tokio_stream(mut coming: mpsc::UnboundedReceiver<Result<Bytes, std::io::Error>>) -> reqwest::Body {
    reqwest::Body::wrap_stream(futures::stream::poll_fn(move |context| coming.poll_recv(context)))
}

#[tokio::test]
async fn tool_learns_that_the_visitor_has_left() {
    let scene = Scene::new().await;
    let (asked, mut arrivals) = mpsc::unbounded_channel();
    let (left, mut departures) = mpsc::unbounded_channel();
    let tool = Tool::on_connection(move |mut stream| {
        let (asked, left) = (asked.clone(), left.clone());
        async move {
            read_head(&mut stream).await;
            asked.send(()).unwrap();
            // Computes for hours.
            let rest = stream.read(&mut [0; 16]).await;
            left.send(matches!(rest, Ok(0) | Err(_))).unwrap();
        }
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor
        .send("GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n")
        .await;
    arrivals.recv().await.unwrap();
    drop(visitor);
    let has_left = tokio::time::timeout(DEADLINE, departures.recv()).await.unwrap();
    assert_eq!(has_left, Some(true));
}

#[tokio::test]
async fn body_that_is_none_is_the_visitors_mistake_and_ends_the_connection() {
    let (scene, tool) = (Scene::new().await, Tool::mirror().await);
    scene.route("alpha", &[tool.address]);
    for body in [
        "x\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "0\r\nbad trailer\r\n\r\n",
    ] {
        let mut visitor = scene.raw("alpha").await;
        let head = "POST / HTTP/1.1\r\nhost: alpha.toolforge.test\r\ntransfer-encoding: chunked\r\n\r\n";
        visitor
            .send(&format!(
                "{head}{body}GET /next HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n"
            ))
            .await;
        let answer = visitor.end().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{body:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{body:?}: {answer}");
    }
}

#[tokio::test]
async fn answer_that_breaks_off_does_not_look_whole() {
    let scene = Scene::new().await;
    for (tool, said) in [
        ("alpha", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
        (
            "beta",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ),
        (
            "gamma",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nx\r\n",
        ),
    ] {
        let broken = Tool::saying(said).await;
        scene.route(tool, &[broken.address]);
        for version in [Version::Http1, Version::Http2] {
            let request = scene.client(tool, version).get(scene.url(tool, "/"));
            let came = async { request.send().await?.bytes().await };
            assert!(came.await.is_err(), "{tool} {version:?}");
        }
    }
}

#[tokio::test]
async fn answer_that_is_none_is_a_bad_gateway() {
    let scene = Scene::new().await;
    for said in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nx: y\n\n",
        "HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n",
        "HTTP/3 200 OK\r\n\r\n",
        "<html>",
    ] {
        let tool = Tool::saying(said).await;
        scene.route("alpha", &[tool.address]);
        let client = scene.client("alpha", Version::Http1);
        let response = client.get(scene.url("alpha", "/")).send().await.unwrap();
        assert_eq!(response.status(), 502, "{said:?}");
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let scene = Scene::new().await;
    let tool = Tool::saying(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    scene.route("alpha", &[tool.address]);
    let response = scene
        .client("alpha", Version::Http1)
        .get(scene.url("alpha", "/"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "ok");
}

#[tokio::test]
async fn http_2_without_tls_is_served_to_those_who_begin_with_it() {
    let scene = Scene::new().await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .resolve(&Scene::host("alpha"), scene.http)
        .timeout(DEADLINE)
        .build()
        .unwrap();
    let url = format!("http://{}:{}/x", Scene::host("alpha"), scene.http.port());
    let response = client.get(url).send().await.unwrap();
    assert_eq!(
        (response.version(), response.status().as_u16()),
        (http::Version::HTTP_2, 301)
    );
}

#[tokio::test]
async fn head_too_long_is_refused_with_its_reason() {
    let scene = Scene::new().await;
    let mut visitor = scene.raw("alpha").await;
    let long = "x".repeat(70 * 1024);
    visitor
        .send(&format!(
            "GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nx-long: {long}\r\n\r\n"
        ))
        .await;
    let answer = visitor.end().await;
    assert!(
        answer.starts_with("HTTP/1.1 431 ") && answer.contains("64 KiB"),
        "{answer}"
    );
}

#[tokio::test]
async fn visitor_who_is_never_told_to_continue_sends_nothing_that_is_taken_for_a_request() {
    let scene = Scene::new().await;
    // Answers at once, without reading the body.
    let tool = Tool::on_connection(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
            .await;
    })
    .await;
    scene.route("alpha", &[tool.address]);
    let mut visitor = scene.raw("alpha").await;
    let body = "GET /smuggled HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n";
    let head = format!(
        "POST / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    visitor.send(&head).await;
    visitor.until("HTTP/1.1 403 ").await;
    visitor.send(body).await;
    let rest = visitor.end().await;
    assert!(!rest.contains("HTTP/1.1 "), "{rest}");
}
