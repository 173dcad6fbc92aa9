//! Tools that speak HTTP/2 without TLS, such as servers for gRPC.

use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Collected, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
};
use toolforge_routing::AppProtocol;

use crate::{
    scene::{BODY_LIMIT_BYTES, DEADLINE, Scene, Version, refusing},
    tools::{Body, Frames, Tool, text},
};

/// A tool that answers each request over HTTP/2 with what the function makes of it, at most so many at once on one
/// connection.
pub(crate) async fn tool<F, R>(streams: u32, answer: F) -> Tool
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    Tool::on_connection(move |stream| {
        let answer = answer.clone();
        async move { serve(stream, streams, answer).await }
    })
    .await
}

async fn serve<F, R>(stream: TcpStream, streams: u32, answer: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let _ = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(streams)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What the tool was asked, with its fields and its body.
pub(crate) async fn seen(request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut seen = format!("{:?} {} {}\n", head.version, head.method, head.uri);
    for (name, value) in &head.headers {
        seen.extend([name.as_str(), ": ", value.to_str().unwrap(), "\n"]);
    }
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    seen.extend(["\n", &String::from_utf8_lossy(&body)]);
    text(seen)
}

#[tokio::test]
async fn tool_is_asked_over_http_2_whatever_the_visitor_speaks() {
    let (scene, tool) = (Scene::new().await, tool(100, seen).await);
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    for version in [Version::Http1, Version::Http2] {
        let client = scene.client("alpha", version);
        let response = client.post(scene.url("alpha", "/a%20b?c=d")).body("hello");
        let response = response.send().await.unwrap();
        assert_eq!(
            response.headers()["strict-transport-security"],
            "max-age=31622400"
        );
        let seen = response.text().await.unwrap();
        let host = format!("alpha.toolforge.test:{}", scene.https.port());
        for part in [
            &format!("HTTP/2.0 POST http://{host}/a%20b?c=d\n"),
            &format!("x-forwarded-host: {host}\n"),
            "content-length: 5\n",
            "\n\nhello",
        ] {
            assert!(seen.contains(part), "{version:?}: {part} is missing in {seen}");
        }
        for absent in ["\nhost:", "\nconnection:", "\ntransfer-encoding:"] {
            assert!(!seen.contains(absent), "{version:?}: {absent} is in {seen}");
        }
        let parts = futures::stream::iter(["he", "llo"].map(Ok::<_, Infallible>));
        let streamed = client
            .post(scene.url("alpha", "/"))
            .body(reqwest::Body::wrap_stream(parts));
        let seen = streamed.send().await.unwrap().text().await.unwrap();
        assert!(
            !seen.contains("content-length") && seen.ends_with("\n\nhello"),
            "{seen}"
        );
    }
    assert_eq!(tool.connections(), 1);
}

/// A call as gRPC makes it: both sides speak in turns, and the verdict stands in the trailers.
#[tokio::test]
async fn grpc_passes_both_ways_with_its_trailers() {
    let scene = Scene::new().await;
    let tool = tool(100, |request| async move {
        assert_eq!(request.headers()["te"], "trailers");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        let (sender, body) = Frames::body();
        let mut asked = request.into_body();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = asked.frame().await {
                if let Ok(data) = frame.into_data() {
                    sender.send(Frame::data(data)).unwrap();
                }
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            sender.send(Frame::trailers(trailers)).unwrap();
        });
        let mut response = Response::new(body);
        response
            .headers_mut()
            .insert("content-type", "application/grpc".parse().unwrap());
        response
    })
    .await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let mut visitor = visitor(&scene).await;
    let (words, mut coming) = mpsc::unbounded_channel::<Result<Frame<Bytes>, Infallible>>();
    let body = StreamBody::new(futures::stream::poll_fn(move |context| coming.poll_recv(context)));
    let request = Request::post("https://alpha.toolforge.test/echo.Echo/Say")
        .header("te", "trailers")
        .header("content-type", "application/grpc");
    let answered = visitor.send_request(request.body(body.boxed()).unwrap());
    let mut answer = tokio::time::timeout(DEADLINE, answered).await.unwrap().unwrap();
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    for word in ["one", "two"] {
        words.send(Ok(Frame::data(word.into()))).unwrap();
        let frame = tokio::time::timeout(DEADLINE, answer.frame()).await.unwrap();
        assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), word);
    }
    drop(words);
    let rest = answer.into_body().collect().await.unwrap();
    assert_eq!(rest.trailers().unwrap()["grpc-status"], "0");
}

/// A connection of a visitor over HTTP/2.
pub(crate) async fn visitor(scene: &Scene) -> hyper::client::conn::http2::SendRequest<Body> {
    let stream = scene.http2("alpha").await;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn requests_at_once_share_a_connection_up_to_what_the_tool_allows() {
    let scene = Scene::new().await;
    let (waiting, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (at_tool, go_on) = (waiting.clone(), release.clone());
    let tool = tool(10, move |_| {
        let (at_tool, go_on) = (at_tool.clone(), go_on.clone());
        async move {
            let notified = go_on.notified();
            at_tool.fetch_add(1, Ordering::Relaxed);
            notified.await;
            text("ok")
        }
    })
    .await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let client = scene.client("alpha", Version::Http2);
    // The first tells how many the tool allows.
    let ask = || tokio::spawn(client.get(scene.url("alpha", "/")).send());
    let mut asked = vec![ask()];
    let arrived = async |count: usize| {
        let waiting = async {
            while waiting.load(Ordering::Relaxed) < count {
                tokio::time::sleep(crate::scene::LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting)
            .await
            .expect("not all arrived");
    };
    arrived(1).await;
    asked.extend((1..30).map(|_| ask()));
    arrived(30).await;
    assert_eq!(tool.connections(), 3);
    release.notify_waiters();
    for asked in asked {
        assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn tool_that_says_goodbye_loses_no_request() {
    let scene = Scene::new().await;
    // Each connection takes one request, and says with its answer that it takes no more.
    let tool = Tool::on_connection(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        if let Some(Ok((_, mut respond))) = connection.accept().await {
            let _ = respond.send_response(Response::new(()), true);
            connection.graceful_shutdown();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
            }
        }
    })
    .await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let client = scene.client("alpha", Version::Http1);
    for _ in 0..30 {
        let response = client.delete(scene.url("alpha", "/")).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn request_that_the_tool_refuses_is_sent_again_unless_its_body_is_gone() {
    let scene = Scene::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let tool = Tool::on_connection(move |stream| {
        let counter = counter.clone();
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if counter.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                    respond.send_reset(h2::Reason::REFUSED_STREAM);
                } else {
                    let _ = respond.send_response(Response::new(()), true);
                }
            }
        }
    })
    .await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let client = scene.client("alpha", Version::Http1);
    let response = client.delete(scene.url("alpha", "/")).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), asked.load(Ordering::Relaxed)),
        (200, 2)
    );
    let response = client
        .post(scene.url("alpha", "/"))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), asked.load(Ordering::Relaxed)),
        (502, 3)
    );
}

#[tokio::test]
async fn endpoint_that_takes_no_connection_is_passed_over() {
    let (scene, tool) = (Scene::new().await, tool(100, seen).await);
    let (_socket, dead) = refusing();
    scene.route_to("alpha", &[dead, tool.address], AppProtocol::H2c);
    let client = scene.client("alpha", Version::Http1);
    for _ in 0..4 {
        let response = client.get(scene.url("alpha", "/")).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    scene.route_to("beta", &[dead], AppProtocol::H2c);
    let client = scene.client("beta", Version::Http1);
    let response = client.get(scene.url("beta", "/")).send().await.unwrap();
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn wish_for_another_protocol_is_passed_over() {
    let (scene, tool) = (Scene::new().await, tool(100, seen).await);
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let mut visitor = scene.raw("alpha").await;
    let request =
        "GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    visitor.send(request).await;
    assert!(visitor.head().await.starts_with("HTTP/1.1 200 "));
    let seen = visitor.until("\n\n").await;
    assert!(
        !seen.contains("\nupgrade") && !seen.contains("\nconnection"),
        "{seen}"
    );
}

#[tokio::test]
async fn tool_that_speaks_no_http_2_is_a_bad_gateway() {
    let (scene, tool) = (Scene::new().await, Tool::named("alpha").await);
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let client = scene.client("alpha", Version::Http1);
    let response = client.get(scene.url("alpha", "/")).send().await.unwrap();
    assert_eq!(response.status(), 502);
}

#[tokio::test]
async fn body_past_the_limit_is_refused() {
    let (scene, tool) = (Scene::new().await, tool(100, seen).await);
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let length = usize::try_from(BODY_LIMIT_BYTES).unwrap() + 1;
    for version in [Version::Http1, Version::Http2] {
        let client = scene.client("alpha", version);
        let parts = futures::stream::iter([Ok::<_, Infallible>(vec![b'x'; length])]);
        let streamed = client
            .post(scene.url("alpha", "/"))
            .body(reqwest::Body::wrap_stream(parts));
        assert_eq!(streamed.send().await.unwrap().status(), 413, "{version:?}");
    }
}

#[tokio::test]
async fn visitor_who_leaves_takes_the_request_back() {
    let scene = Scene::new().await;
    let (arrived, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (at_tool, left) = (arrived.clone(), gone.clone());
    let tool = tool(100, move |_| {
        let (at_tool, left) = (at_tool.clone(), left.clone());
        async move {
            let _guard = OnDrop(left);
            at_tool.notify_one();
            std::future::pending().await
        }
    })
    .await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let mut visitor = scene.raw("alpha").await;
    visitor
        .send("GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n")
        .await;
    let waiting = tokio::time::timeout(DEADLINE, arrived.notified());
    waiting.await.expect("the request did not arrive");
    drop(visitor);
    tokio::time::timeout(DEADLINE, gone.notified())
        .await
        .expect("the tool goes on");
}

struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn slow_visitor_holds_up_nobody_else_on_the_connection() {
    let scene = Scene::new().await;
    let tool = tool(100, |request| async move {
        if request.uri().path() == "/small" {
            return text("small");
        }
        text(vec![b'x'; 32 * 1024 * 1024])
    })
    .await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut visitor = scene.raw("alpha").await;
        visitor
            .send("GET /large HTTP/1.1\r\nhost: alpha.toolforge.test\r\n\r\n")
            .await;
        visitor.head().await;
        slow.push(visitor);
    }
    let client = scene.client("alpha", Version::Http2);
    let response = client.get(scene.url("alpha", "/small")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "small");
    assert_eq!(tool.connections(), 1);
}

/// A tool that breaks off within its answer: the visitor notices.
#[tokio::test]
async fn answer_that_breaks_off_does_not_look_whole() {
    let scene = Scene::new().await;
    let tool = Tool::on_connection(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if let Ok(mut body) = respond.send_response(Response::new(()), false) {
                let _ = body.send_data("hello".into(), false);
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    body.send_reset(h2::Reason::INTERNAL_ERROR);
                });
            }
        }
    })
    .await;
    scene.route_to("alpha", &[tool.address], AppProtocol::H2c);
    for version in [Version::Http1, Version::Http2] {
        let request = scene.client("alpha", version).get(scene.url("alpha", "/"));
        let received = async {
            let response = request.send().await?;
            if response.status() == 502 {
                Ok(Bytes::from("refused"))
            } else {
                response.bytes().await
            }
        };
        let received = received.await;
        assert!(
            received.is_err() || received.is_ok_and(|text| text == "refused"),
            "{version:?}"
        );
    }
}

#[tokio::test]
async fn an_annotation_says_it_too() {
    let scene = Scene::new().await;
    let tool = tool(8, seen).await;
    let root = ("/", toolforge_routing::PathKind::Prefix);
    scene.route_with("alpha", &[tool.address], root, &[("backend-protocol", "GRPC")]);
    let client = scene.client("alpha", Version::Http1);
    let answer = client.get(scene.url("alpha", "/x")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("/x"), "the tool was asked");
}
