//! Routes with annotations of ingress-nginx.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Method, Response, StatusCode};
use reqwest::Client;
use toolforge_gateway::PlainHttp;
use toolforge_routing::{AppProtocol, PathKind};

use crate::{
    scene::{BODY_LIMIT_BYTES, Scene, Version},
    tools::{Body, Tool, text},
};

const ROOT: (&str, PathKind) = ("/", PathKind::Prefix);

/// A tool `alpha` that answers with what it is asked, behind these annotations.
async fn mirrored(annotations: &[(&str, &str)], path: (&str, PathKind)) -> (Scene, Tool, Client) {
    let scene = Scene::new().await;
    let tool = Tool::mirror().await;
    scene.route_with("alpha", &[tool.address], path, annotations);
    let client = scene.client("alpha", Version::Http1);
    (scene, tool, client)
}

async fn get(scene: &Scene, client: &Client, path: &str) -> reqwest::Response {
    client.get(scene.url("alpha", path)).send().await.unwrap()
}

async fn body_of(scene: &Scene, client: &Client, path: &str) -> String {
    get(scene, client, path).await.text().await.unwrap()
}

fn header<'r>(response: &'r reqwest::Response, name: &str) -> &'r str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// An answer with this status and text.
fn answer(status: u16, body: &'static str) -> Response<Body> {
    let mut response = text(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

#[tokio::test]
async fn paths_are_rewritten_with_groups_and_the_query_stays() {
    let path = ("/something(/|$)(.*)", PathKind::Pattern);
    let (scene, _tool, client) = mirrored(&[("rewrite-target", "/x/$2")], path).await;
    for (asked, expected) in [
        ("/something/a%20b/c?d=/e", "GET /x/a%20b/c?d=/e\n"),
        ("/something", "GET /x/\n"),
        ("/SOMETHING/y", "GET /x/y\n"),
    ] {
        let seen = body_of(&scene, &client, asked).await;
        assert!(seen.starts_with(expected), "{asked}: {seen}");
        assert!(seen.contains(&format!("x-original-uri: {asked}\n")), "{seen}");
    }
    assert_eq!(get(&scene, &client, "/somethings").await.status(), 404);
}

#[tokio::test]
async fn a_rewrite_without_groups_is_the_whole_path() {
    let (scene, _tool, client) = mirrored(
        &[
            ("rewrite-target", "/new"),
            ("x-forwarded-prefix", "/old"),
            ("upstream-vhost", "inside.example"),
        ],
        ("/old", PathKind::Prefix),
    )
    .await;
    let seen = body_of(&scene, &client, "/old/a?b").await;
    assert!(seen.starts_with("GET /new?b\n"), "{seen}");
    assert!(
        seen.contains("x-forwarded-prefix: /old\n") && seen.contains("host: inside.example\n"),
        "{seen}"
    );
    assert!(seen.contains("x-forwarded-host: alpha.toolforge.test"), "{seen}");
}

#[tokio::test]
async fn redirects_lead_away_whether_there_is_an_endpoint_or_not() {
    let scene = Scene::new().await;
    let client = scene.client("alpha", Version::Http2);
    for (annotations, path, status, location) in [
        (
            &[("permanent-redirect", "https://example.org")][..],
            "/a",
            301,
            "https://example.org",
        ),
        (
            &[
                ("permanent-redirect", "https://example.org$request_uri"),
                ("permanent-redirect-code", "308"),
            ],
            "/a?b=c",
            308,
            "https://example.org/a?b=c",
        ),
        (
            &[("temporal-redirect", "https://example.org/$is_args$args")],
            "/a?b",
            302,
            "https://example.org/?b",
        ),
        (&[("app-root", "/wiki/")], "/", 302, "/wiki/"),
    ] {
        scene.route_with("alpha", &[], ROOT, annotations);
        let response = get(&scene, &client, path).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "location")),
            (status, location)
        );
        assert_eq!(header(&response, "strict-transport-security"), "max-age=31622400");
    }
    // Other paths are the tool's.
    assert_eq!(get(&scene, &client, "/other").await.status(), 503);
}

#[tokio::test]
async fn plain_http_is_led_to_https_where_it_is_served_and_that_is_asked_for() {
    let scene = Scene::with(PlainHttp::Serve).await;
    let tool = Tool::named("alpha").await;
    scene.route_with("alpha", &[tool.address], ROOT, &[("force-ssl-redirect", "true")]);
    let mut connection = scene.raw_plain().await;
    connection
        .send("GET /a?b HTTP/1.1\r\nHost: alpha.toolforge.test\r\n\r\n")
        .await;
    let head = connection.head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 308 "), "{head}");
    assert!(
        head.contains("location: https://alpha.toolforge.test:8443/a?b\r\n"),
        "{head}"
    );
    assert_eq!(tool.connections(), 0);
}

#[tokio::test]
async fn bodies_are_held_to_the_smaller_limit() {
    let (scene, _tool, client) = mirrored(&[("proxy-body-size", "1k")], ROOT).await;
    let status = |length: u64| {
        let body = vec![b'x'; usize::try_from(length).unwrap()];
        let sent = client.post(scene.url("alpha", "/")).body(body).send();
        async { sent.await.unwrap().status().as_u16() }
    };
    assert_eq!((status(1024).await, status(1025).await), (200, 413));
    let tool = Tool::mirror().await;
    scene.route_with("alpha", &[tool.address], ROOT, &[("proxy-body-size", "1g")]);
    assert_eq!(
        (status(BODY_LIMIT_BYTES).await, status(BODY_LIMIT_BYTES + 1).await),
        (200, 413)
    );
}

#[tokio::test]
async fn a_tool_gets_no_more_time_than_it_asked_for() {
    let scene = Scene::new().await;
    let tool = Tool::new(|_| std::future::pending()).await;
    scene.route_with("alpha", &[tool.address], ROOT, &[("proxy-read-timeout", "1")]);
    let client = scene.client("alpha", Version::Http1);
    let begun = tokio::time::Instant::now();
    assert_eq!(get(&scene, &client, "/").await.status(), 504);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn addresses_that_are_not_taken_get_403() {
    for (annotation, value, status) in [
        ("whitelist-source-range", "127.0.0.0/8", 200),
        ("whitelist-source-range", "192.0.2.0/24, 2001:db8::/32", 403),
        ("allowlist-source-range", "192.0.2.0/24", 403),
        ("denylist-source-range", "192.0.2.0/24", 200),
        ("denylist-source-range", "127.0.0.1", 403),
    ] {
        let (scene, tool, client) = mirrored(&[(annotation, value)], ROOT).await;
        assert_eq!(
            get(&scene, &client, "/").await.status(),
            status,
            "{annotation}: {value}"
        );
        assert_eq!(tool.connections(), usize::from(status == 200));
    }
}

#[tokio::test]
async fn an_address_that_asks_too_often_waits() {
    let (scene, _tool, client) = mirrored(&[("limit-rpm", "1"), ("limit-burst-multiplier", "2")], ROOT).await;
    let other = Tool::named("beta").await;
    scene.route_with("beta", &[other.address], ROOT, &[("limit-rpm", "1")]);
    assert_eq!(get(&scene, &client, "/").await.status(), 200);
    assert_eq!(get(&scene, &client, "/").await.status(), 200);
    let refused = get(&scene, &client, "/").await;
    assert_eq!(refused.status(), 429);
    assert!((1..=60).contains(&header(&refused, "retry-after").parse::<u64>().unwrap()));
    let beta = scene.client("beta", Version::Http1);
    assert_eq!(
        beta.get(scene.url("beta", "/")).send().await.unwrap().status(),
        200
    );
    scene.route_with(
        "alpha",
        &[other.address],
        ROOT,
        &[("limit-rpm", "1"), ("limit-whitelist", "127.0.0.1")],
    );
    assert_eq!(get(&scene, &client, "/").await.status(), 200);
}

#[tokio::test]
async fn browsers_are_told_whose_scripts_may_ask() {
    let annotations = [
        ("enable-cors", "true"),
        ("cors-allow-origin", "https://*.example.org, http://one.test:8080"),
        ("cors-allow-methods", "GET, PUT"),
        ("cors-expose-headers", "X-One"),
        ("cors-max-age", "600"),
    ];
    let (scene, tool, client) = mirrored(&annotations, ROOT).await;
    let asked = |method: Method, origin: &'static str| {
        client
            .request(method, scene.url("alpha", "/"))
            .header("origin", origin)
            .send()
    };
    let preflight = asked(Method::OPTIONS, "https://a.example.org").await.unwrap();
    assert_eq!(preflight.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://a.example.org"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "600"),
        ("access-control-expose-headers", "X-One"),
        ("vary", "Origin"),
    ] {
        assert_eq!(header(&preflight, name), value, "{name}");
    }
    assert_eq!(tool.connections(), 0, "the tool need not know of it");
    let plain = asked(Method::GET, "http://one.test:8080").await.unwrap();
    assert_eq!(
        (
            plain.status().as_u16(),
            header(&plain, "access-control-allow-origin")
        ),
        (200, "http://one.test:8080")
    );
    for (method, origin) in [
        (Method::OPTIONS, "https://evil.test"),
        (Method::GET, "https://example.org"),
    ] {
        let other = asked(method, origin).await.unwrap();
        assert_eq!(
            (
                other.status().as_u16(),
                header(&other, "access-control-allow-origin")
            ),
            (200, "")
        );
    }
}

#[tokio::test]
async fn a_visitor_stays_with_its_endpoint() {
    let scene = Scene::new().await;
    let (one, two) = (Tool::named("one").await, Tool::named("two").await);
    let annotations = [
        ("affinity", "cookie"),
        ("session-cookie-name", "route"),
        ("session-cookie-max-age", "60"),
    ];
    scene.route_with("alpha", &[one.address, two.address], ROOT, &annotations);
    let client = scene.client("alpha", Version::Http1);
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..32 {
        let first = get(&scene, &client, "/").await;
        let set = header(&first, "set-cookie").to_owned();
        assert!(
            set.starts_with("route=") && set.ends_with("; Path=/; Max-Age=60; Secure; HttpOnly"),
            "{set}"
        );
        let cookie = set.split(';').next().unwrap().to_owned();
        let name = first.text().await.unwrap();
        let again = client
            .get(scene.url("alpha", "/"))
            .header("cookie", cookie)
            .send()
            .await
            .unwrap();
        assert_eq!(header(&again, "set-cookie"), "");
        assert_eq!(again.text().await.unwrap(), name);
        names.insert(name);
    }
    assert_eq!(names.len(), 2, "both endpoints have visitors");
}

#[tokio::test]
async fn a_visitor_whose_endpoint_fails_gets_another() {
    let scene = Scene::new().await;
    let (_socket, gone) = crate::scene::refusing();
    let tool = Tool::named("there").await;
    for change in ["true", "false"] {
        let annotations = [
            ("affinity", "cookie"),
            ("affinity-mode", "persistent"),
            ("session-cookie-change-on-failure", change),
        ];
        scene.route_with("alpha", &[gone], ROOT, &annotations);
        let client = scene.client("alpha", Version::Http1);
        let failed = get(&scene, &client, "/").await;
        let cookie = header(&failed, "set-cookie")
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        scene.route_with("alpha", &[gone, tool.address], ROOT, &annotations);
        let request = client.get(scene.url("alpha", "/")).header("cookie", cookie);
        let answered = request.send().await.unwrap();
        assert_eq!(answered.status(), 200);
        assert_eq!(header(&answered, "set-cookie").is_empty(), change == "false");
    }
}

#[tokio::test]
async fn a_key_of_the_request_leads_to_one_endpoint() {
    let scene = Scene::new().await;
    let (one, two) = (Tool::named("one").await, Tool::named("two").await);
    scene.route_with(
        "alpha",
        &[one.address, two.address],
        ROOT,
        &[("upstream-hash-by", "$arg_user")],
    );
    let client = scene.client("alpha", Version::Http1);
    let mut names = std::collections::BTreeSet::new();
    for user in 0..16 {
        let path = format!("/?user={user}");
        let first = body_of(&scene, &client, &path).await;
        assert_eq!(body_of(&scene, &client, &path).await, first);
        names.insert(first);
    }
    assert_eq!(names.len(), 2);
}

/// A server that says who comes in: those with the cookie `in`.
async fn doorkeeper() -> (Tool, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let tool = Tool::new(move |request| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            let headers = request.headers();
            let cookie = headers
                .get("cookie")
                .map(|value| value.to_str().unwrap().to_owned());
            let url = headers["x-original-url"].clone();
            assert_eq!(request.uri().path(), "/check");
            assert!(!headers.contains_key("content-length") && !headers.contains_key("upgrade"));
            let mut answer = match cookie.as_deref() {
                Some("in") => answer(200, "come in"),
                Some("out") => answer(403, "no"),
                Some("broken") => answer(500, "what?"),
                _ => answer(401, "who?"),
            };
            let headers = answer.headers_mut();
            headers.insert("x-user", "ada".parse().unwrap());
            headers.insert("x-asked", url);
            headers.insert("set-cookie", "session=1".parse().unwrap());
            headers.insert("www-authenticate", "Basic realm=x".parse().unwrap());
            answer
        }
    })
    .await;
    (tool, asked)
}

async fn as_cookie(scene: &Scene, client: &Client, cookie: &str) -> reqwest::Response {
    let request = client.post(scene.url("alpha", "/a?b")).body("secret");
    let request = request
        .header("cookie", cookie)
        .header("x-user", "mallory")
        .header("x-email", "m@example.org");
    request.send().await.unwrap()
}

#[tokio::test]
async fn only_those_come_in_whom_the_server_knows() {
    let annotations = [
        ("auth-url", "http://door.tool-alpha.svc.cluster.local:8000/check"),
        ("auth-response-headers", "X-User, X-Email, X-Asked"),
    ];
    let (scene, tool, client) = mirrored(&annotations, ROOT).await;
    let (door, asked) = doorkeeper().await;
    assert_eq!(
        as_cookie(&scene, &client, "in").await.status(),
        500,
        "there is no server yet"
    );
    scene.serve_endpoints("tool-alpha", "door", &[door.address], AppProtocol::Http1);

    let answer = as_cookie(&scene, &client, "in").await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "set-cookie")),
        (200, "session=1")
    );
    let seen = answer.text().await.unwrap();
    assert!(
        seen.starts_with("POST /a?b\n") && seen.ends_with("\nsecret"),
        "{seen}"
    );
    assert!(
        seen.contains("x-user: ada\n") && !seen.contains("mallory"),
        "{seen}"
    );
    assert!(
        !seen.contains("x-email"),
        "what the server does not say nobody says: {seen}"
    );
    let url = format!(
        "x-asked: https://alpha.toolforge.test:{}/a?b\n",
        scene.https.port()
    );
    assert!(seen.contains(&url), "{seen}");

    let connections = tool.connections();
    for (cookie, status) in [("out", 403), ("broken", 500), ("who", 401)] {
        let answer = as_cookie(&scene, &client, cookie).await;
        assert_eq!(answer.status(), status, "{cookie}");
        assert_eq!(header(&answer, "www-authenticate").is_empty(), status != 401);
    }
    assert_eq!(
        (tool.connections(), asked.load(Ordering::Relaxed)),
        (connections, 4)
    );
}

#[tokio::test]
async fn those_whom_nobody_knows_are_led_to_sign_in() {
    let annotations = [
        ("auth-url", "https://$host/check"),
        ("auth-signin", "https://$host/start"),
    ];
    let (scene, tool, client) = mirrored(&annotations, ROOT).await;
    // The same host leads back to the tool itself, which is asked without being asked about.
    let mirrored = as_cookie(&scene, &client, "in").await;
    assert_eq!(mirrored.status(), 200);
    let (door, _) = doorkeeper().await;
    scene.route_with("alpha", &[door.address], ROOT, &annotations);
    let answer = as_cookie(&scene, &client, "who").await;
    assert_eq!(answer.status(), 302);
    let back = format!("https://alpha.toolforge.test:{}%2Fa%3Fb", scene.https.port());
    assert_eq!(
        header(&answer, "location"),
        format!("https://alpha.toolforge.test/start?rd={back}")
    );
    drop(tool);
}

#[tokio::test]
async fn pages_of_the_tool_stand_in_for_its_errors() {
    let scene = Scene::new().await;
    let tool = Tool::new(|request| async move {
        match request.uri().path() {
            "/missing" => answer(404, "the tool's own words"),
            _ => answer(418, "a teapot"),
        }
    })
    .await;
    let pages = Tool::new(|request| async move {
        let headers = request.headers();
        let code = headers["x-code"].to_str().unwrap().to_owned();
        text(format!(
            "page {code} for {}",
            headers["x-ingress-name"].to_str().unwrap()
        ))
    })
    .await;
    let annotations = [("custom-http-errors", "404,503"), ("default-backend", "pages")];
    scene.serve_endpoints("tool-alpha", "pages", &[pages.address], AppProtocol::Http1);
    scene.route_with("alpha", &[tool.address], ROOT, &annotations);
    let client = scene.client("alpha", Version::Http1);
    let page = get(&scene, &client, "/missing").await;
    assert_eq!(page.status(), 200, "the status of the tool's page stands");
    assert_eq!(page.text().await.unwrap(), "page 404 for web");
    let teapot = get(&scene, &client, "/").await;
    assert_eq!(
        (teapot.status().as_u16(), teapot.text().await.unwrap().as_str()),
        (418, "a teapot")
    );

    scene.route_with("beta", &[], ROOT, &[("default-backend", "pages")]);
    scene.serve_endpoints("tool-beta", "pages", &[pages.address], AppProtocol::Http1);
    let beta = scene.client("beta", Version::Http1);
    let page = beta.get(scene.url("beta", "/")).send().await.unwrap();
    assert_eq!(page.text().await.unwrap(), "page 503 for web");
}

#[tokio::test]
async fn the_platforms_page_keeps_the_status() {
    let (scene, _tool, client) = mirrored(&[("custom-http-errors", "500")], ROOT).await;
    let failing = Tool::new(|_| async { answer(500, "a stack trace") }).await;
    scene.route_with(
        "alpha",
        &[failing.address],
        ROOT,
        &[("custom-http-errors", "500")],
    );
    let pages = Tool::named("the platform's page").await;
    scene.default_backend(pages.address);
    let page = get(&scene, &client, "/").await;
    assert_eq!(
        (page.status().as_u16(), page.text().await.unwrap().as_str()),
        (500, "the platform's page")
    );
}

#[tokio::test]
async fn what_is_not_understood_is_not_served() {
    for annotation in [
        ("auth-type", "basic"),
        ("auth-url", "http://127.0.0.1/"),
        ("whitelist-source-range", "all"),
    ] {
        let (scene, tool, client) = mirrored(&[annotation], ROOT).await;
        assert_eq!(get(&scene, &client, "/").await.status(), 404, "{annotation:?}");
        assert_eq!(tool.connections(), 0);
    }
}
