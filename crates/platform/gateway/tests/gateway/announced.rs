//! Tools to which connections begin with a PROXY header, since the operator says so.

use std::convert::Infallible;

use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use toolforge_proxy_protocol::{Header, read};
use toolforge_routing::{
    AppProtocol, Change, Kind, Object, ObjectKey, PathKind, Registered, RegisteredRoute,
};

use crate::{
    scene::{Scene, Version},
    tools::{Body, Tool, read_head, text},
};

/// Who the header names at the beginning of a connection, and where it says that the visitor went; nothing where the gateway
/// speaks for itself.
async fn announced(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        bytes.push(stream.read_u8().await.unwrap());
        match read(&bytes).expect("the connection begins with a header") {
            Some((Header::Own, _)) => return "nobody".to_owned(),
            Some((Header::Proxied(of), _)) => return format!("{} {}", of.source, of.destination),
            None => {}
        }
    }
}

/// A tool that answers each request with what its connection began with.
async fn tool(protocol: AppProtocol) -> Tool {
    Tool::on_connection(move |mut stream| async move {
        let said = announced(&mut stream).await;
        let service = service_fn(move |_| {
            let said = said.clone();
            async move { Ok::<_, Infallible>(text(said)) }
        });
        let stream = TokioIo::new(stream);
        let _ = match protocol {
            AppProtocol::Http1 => http1::Builder::new().serve_connection(stream, service).await,
            AppProtocol::H2c => {
                let builder = http2::Builder::new(TokioExecutor::new());
                builder.serve_connection(stream, service).await
            }
        };
    })
    .await
}

/// The same over HTTP/1.1, with this answer.
async fn telling<F>(answer: F) -> Tool
where
    F: Fn(&str, &Request<Incoming>) -> Response<Body> + Copy + Send + Sync + 'static,
{
    Tool::on_connection(move |mut stream| async move {
        let said = announced(&mut stream).await;
        let service = service_fn(move |request| {
            let answered = answer(&said, &request);
            async move { Ok::<_, Infallible>(answered) }
        });
        let stream = TokioIo::new(stream);
        let _ = http1::Builder::new().serve_connection(stream, service).await;
    })
    .await
}

async fn seen(scene: &Scene, client: &reqwest::Client, visitor: &str) -> String {
    let request = client
        .get(scene.url("alpha", "/"))
        .header("x-forwarded-for", visitor);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn each_connection_names_its_visitor_and_is_nobody_elses() {
    let scene = Scene::new().await;
    for protocol in [AppProtocol::Http1, AppProtocol::H2c] {
        for version in [1, 2] {
            scene.settings(&format!(
                "trustedProxies: [127.0.0.0/8]\nproxyProtocolTo: {{ alpha: {version} }}"
            ));
            let tool = tool(protocol).await;
            let at = tool.address;
            scene.route_to("alpha", &[at], protocol);
            let client = scene.client("alpha", Version::Http1);
            for visitor in ["203.0.113.9", "203.0.113.10", "203.0.113.9"] {
                let seen = seen(&scene, &client, visitor).await;
                assert_eq!(seen, format!("{visitor}:0 {at}"), "{protocol:?} {version}");
            }
            let port = at.port();
            let seen = seen(&scene, &client, "2001:db8::7").await;
            assert_eq!(seen, format!("[2001:db8::7]:0 [::ffff:127.0.0.1]:{port}"));
            assert_eq!(tool.connections(), 4, "{protocol:?} {version}");
        }
    }
}

#[tokio::test]
async fn upgraded_connection_begins_with_it_and_a_page_names_nobody() {
    let (scene, pages) = (Scene::new().await, tool(AppProtocol::Http1).await);
    scene.settings("proxyProtocolTo: { alpha: 2 }");
    let echo = Tool::on_connection(|mut stream| async move {
        let said = announced(&mut stream).await;
        read_head(&mut stream).await;
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(switch.as_bytes()).await.unwrap();
        stream.write_all(format!("{said}\n").as_bytes()).await.unwrap();
    })
    .await;
    scene.route("alpha", &[echo.address]);
    let mut visitor = scene.raw("alpha").await;
    visitor
        .send("GET / HTTP/1.1\r\nhost: alpha.toolforge.test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
        .await;
    assert!(visitor.head().await.starts_with("HTTP/1.1 101 "));
    let expected = format!("127.0.0.1:0 {}\n", echo.address);
    assert_eq!(visitor.until("\n").await, expected);

    // The tool's own page is asked for by the gateway, whoever sees it.
    scene.change(vec![Change::Replace(Kind::Slice, Vec::new())]);
    scene.serve_endpoints("tool-alpha", "pages", &[pages.address], AppProtocol::Http1);
    scene.route_with(
        "alpha",
        &[],
        ("/", PathKind::Prefix),
        &[("default-backend", "pages")],
    );
    let client = scene.client("alpha", Version::Http1);
    assert_eq!(seen(&scene, &client, "203.0.113.9").await, "nobody");
}

#[tokio::test]
async fn what_a_tool_has_registered_is_told_like_its_pods() {
    let (scene, tool) = (Scene::new().await, tool(AppProtocol::Http1).await);
    scene.settings("trustedProxies: [127.0.0.0/8]\nproxyProtocolTo: { alpha: 1 }");
    let registered = Registered {
        key: ObjectKey::new("tool-alpha", "elsewhere"),
        created_seconds: 1,
        routes: vec![RegisteredRoute {
            host: Scene::host("alpha"),
            path: "/".into(),
            rest: None,
            moved_to: None,
        }],
        address: tool.address,
        is_alive: true,
    };
    scene.change(vec![Change::Put(Object::Registered(registered))]);
    let client = scene.client("alpha", Version::Http1);
    for visitor in ["203.0.113.9", "203.0.113.10"] {
        let seen = seen(&scene, &client, visitor).await;
        assert_eq!(seen, format!("{visitor}:0 {}", tool.address));
    }
    assert_eq!(tool.connections(), 2);
}

#[tokio::test]
async fn who_lets_visitors_in_is_told_of_them_too() {
    let scene = Scene::new().await;
    scene.settings("trustedProxies: [127.0.0.0/8]\nproxyProtocolTo: { alpha: 2 }");
    let door = telling(|said, _| {
        let mut answer = text("");
        answer.headers_mut().insert("x-door", said.parse().unwrap());
        answer
    })
    .await;
    let tool = telling(|said, request| {
        let door = request.headers()["x-door"].to_str().unwrap();
        text(format!("{said}, and at the door {door}"))
    })
    .await;
    scene.serve_endpoints("tool-alpha", "door", &[door.address], AppProtocol::Http1);
    let annotations = [
        ("auth-url", "http://door.tool-alpha.svc:8000/"),
        ("auth-response-headers", "X-Door"),
    ];
    scene.route_with("alpha", &[tool.address], ("/", PathKind::Prefix), &annotations);
    let client = scene.client("alpha", Version::Http1);
    for visitor in ["203.0.113.9", "203.0.113.10"] {
        let expected = format!(
            "{visitor}:0 {}, and at the door {visitor}:0 {}",
            tool.address, door.address
        );
        assert_eq!(seen(&scene, &client, visitor).await, expected);
    }
    assert_eq!((tool.connections(), door.connections()), (2, 2));
}

#[tokio::test]
async fn who_is_not_named_gets_no_header_and_shares_connections() {
    let (scene, tool) = (Scene::new().await, Tool::mirror().await);
    scene.settings("proxyProtocolTo: { beta: 1 }");
    scene.route("alpha", &[tool.address]);
    let client = scene.client("alpha", Version::Http1);
    for _ in 0..3 {
        let seen = seen(&scene, &client, "203.0.113.9").await;
        assert!(
            seen.starts_with("GET /\n") && !seen.contains("203.0.113.9"),
            "{seen}"
        );
    }
    assert_eq!(tool.connections(), 1);
}
