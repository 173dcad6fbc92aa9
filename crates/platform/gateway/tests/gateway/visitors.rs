//! What the settings file says about visitors: who is refused and how, and what tools are told of them.

use reqwest::{RequestBuilder, StatusCode};

use crate::{
    scene::{DEADLINE, DOMAIN, PUBLIC_PORT, Scene, Version},
    tools::{Tool, text},
};

/// A tool that answers with what it was told of its visitor.
async fn telling() -> Tool {
    Tool::new(|request| async move {
        let said = |name: &str| {
            let values = request.headers().get_all(name).iter();
            let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
            values.join("|")
        };
        text(format!("{} {}", said("x-forwarded-for"), said("forwarded")))
    })
    .await
}

async fn scene() -> (Scene, Tool) {
    let (scene, tool) = (Scene::new().await, telling().await);
    scene.route("alpha", &[tool.address]);
    scene.route("beta", &[tool.address]);
    (scene, tool)
}

async fn answer(request: RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_banned_get_a_page_and_the_tool_no_request_until_the_settings_change() {
    let (scene, tool) = scene().await;
    for version in [Version::Http1, Version::Http2] {
        let client = scene.client("alpha", version);
        let get = || client.get(scene.url("alpha", "/")).header("accept", "text/html");
        scene.settings("bannedAddresses: [127.0.0.0/8]");
        let before = tool.connections();
        let response = get().send().await.unwrap();
        assert_eq!(response.status(), 403);
        assert!(response.headers().contains_key("strict-transport-security"));
        assert_eq!(response.headers()["cache-control"], "no-store");
        let page = response.text().await.unwrap();
        assert!(
            page.contains("You have been banned from accessing Toolforge."),
            "{page}"
        );
        assert_eq!(tool.connections(), before);
        // Whoever looks whether the gateway lives is told.
        let health = answer(client.get(scene.url("alpha", "/.well-known/healthz"))).await;
        assert_eq!(health, (StatusCode::OK, "proxy ok!".to_owned()));
        // The very connection is served when the ban is lifted.
        scene.settings("bannedAddresses: [192.0.2.0/24]");
        assert_eq!(answer(get()).await.0, 200);
    }
}

#[tokio::test]
async fn the_banned_are_not_redirected_either() {
    let scene = Scene::new().await;
    scene.settings("bannedAddresses: [127.0.0.1]");
    let mut raw = scene.raw_plain().await;
    raw.send(&format!("GET / HTTP/1.1\r\nhost: alpha.{DOMAIN}\r\n\r\n"))
        .await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 403 "), "{head}");
}

#[tokio::test]
async fn user_agents_and_referers_are_refused_by_what_is_found_in_them() {
    let (scene, _tool) = scene().await;
    scene.settings(
        "requireUserAgent: true\nblockedUserAgents: [TweetmemeBot, '(?i)^badbot/']\nblockedReferers: ['//spam\\.example/']\n",
    );
    let client = scene.client("alpha", Version::Http1);
    let get = || client.get(scene.url("alpha", "/"));
    for (headers, refusal) in [
        (&[("user-agent", "Firefox")][..], None),
        (&[("user-agent", "not badbot/1")], None),
        (
            &[("user-agent", "Firefox"), ("referer", "https://spamXexample/")],
            None,
        ),
        (&[], Some("Requests must have a user agent")),
        (&[("user-agent", "")], Some("Requests must have a user agent")),
        (
            &[("user-agent", "Mozilla/5.0 TweetmemeBot/4")],
            Some("Blocked user agent"),
        ),
        (&[("user-agent", "BadBot/1")], Some("Blocked user agent")),
        (
            &[("user-agent", "Firefox"), ("referer", "https://spam.example/x")],
            Some("Blocked referer"),
        ),
    ] {
        let request = headers
            .iter()
            .fold(get(), |request, (name, value)| request.header(*name, *value));
        let (status, text) = answer(request).await;
        match refusal {
            None => assert_eq!(status, 200, "{headers:?}"),
            Some(refusal) => {
                assert_eq!(status, 403, "{headers:?}");
                assert!(text.contains(refusal), "{headers:?}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn maintenance_answers_everything_with_its_message_as_text() {
    let (scene, _tool) = scene().await;
    scene.settings("maintenance: { message: 'Back at <b>12</b>.', retryAfterSeconds: 60 }");
    let client = scene.client("alpha", Version::Http2);
    let get = || client.get(scene.url("alpha", "/")).header("accept", "text/html");
    let response = get().send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "60");
    let page = response.text().await.unwrap();
    assert!(page.contains("Back at &lt;b&gt;12&lt;/b&gt;."), "{page}");
    scene.settings("");
    assert_eq!(answer(get()).await.0, 200);
}

#[tokio::test]
async fn visitors_addresses_are_told_to_the_tools_that_are_named_and_to_no_others() {
    let (scene, _tool) = scene().await;
    scene.settings("visitorAddressesFor: [beta]");
    for (tool, told) in [("alpha", " "), ("beta", "127.0.0.1 for=127.0.0.1;proto=https")] {
        let request = scene.client(tool, Version::Http1).get(scene.url(tool, "/"));
        // What the visitor says about itself is believed by nobody.
        let request = request
            .header("x-forwarded-for", "203.0.113.1")
            .header("forwarded", "for=203.0.113.1");
        assert_eq!(answer(request).await, (StatusCode::OK, told.to_owned()), "{tool}");
    }
}

#[tokio::test]
async fn a_policy_on_content_is_on_every_answer_in_place_of_the_tools() {
    let scene = Scene::new().await;
    let said = "HTTP/1.1 200 OK\r\ncontent-security-policy-report-only: default-src *\r\n\
                content-security-policy: default-src 'self'\r\ncontent-length: 2\r\n\r\nok";
    let tool = Tool::saying(said).await;
    scene.route("alpha", &[tool.address]);
    let told = async |tool: &str| {
        let client = scene.client(tool, Version::Http2);
        let response = client.get(scene.url(tool, "/")).send().await.unwrap();
        let all = response.headers().get_all("content-security-policy-report-only");
        let all: Vec<_> = all
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        (all, response.headers().contains_key("content-security-policy"))
    };
    assert_eq!(told("alpha").await, (vec!["default-src *".to_owned()], true));
    assert_eq!(told("nobody").await, (vec![], false));
    let policy = "default-src 'self' *.toolforge.test; report-uri https://csp.toolforge.test/collect";
    scene.settings(&format!("contentSecurityPolicyReportOnly: {policy:?}"));
    assert_eq!(told("alpha").await, (vec![policy.to_owned()], true));
    assert_eq!(told("nobody").await, (vec![policy.to_owned()], false));
}

#[tokio::test]
async fn trusted_proxies_say_who_the_visitor_is() {
    let (scene, _tool) = scene().await;
    let client = scene.client("beta", Version::Http1);
    let get = |chain: &'static str| {
        client
            .get(scene.url("beta", "/"))
            .header("x-forwarded-for", chain)
    };
    scene.settings("bannedAddresses: ['2001:db8::/32']\nvisitorAddressesFor: [beta]\ntrustedProxies: [127.0.0.1, 10.0.0.0/8]\n");
    let told = answer(get("198.51.100.9, 203.0.113.1, 10.0.0.2")).await.1;
    assert_eq!(told, "203.0.113.1 for=203.0.113.1;proto=https");
    let told = answer(get("[2001:db9::1]:80")).await.1;
    assert_eq!(told, "2001:db9::1 for=\"[2001:db9::1]\";proto=https");
    assert_eq!(answer(get("203.0.113.1, 2001:db8::5")).await.0, 403);
    assert_eq!(answer(get("2001:db8::5, 203.0.113.1")).await.0, 200);
}

#[tokio::test]
async fn the_limit_of_bodies_follows_the_settings() {
    let (scene, _tool) = scene().await;
    let client = scene.client("alpha", Version::Http1);
    let post = |length: usize| client.post(scene.url("alpha", "/")).body(vec![b'x'; length]);
    scene.settings("requestBodyLimitBytes: 10");
    assert_eq!(answer(post(10)).await.0, 200);
    assert_eq!(answer(post(11)).await.0, 413);
    scene.settings("requestBodyLimitBytes: 11");
    assert_eq!(answer(post(11)).await.0, 200);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is() {
    let (scene, _tool) = scene().await;
    scene.settings("rateLimit: { requestsPerSecond: 1, burst: 3 }\ntrustedProxies: [127.0.0.1]\n");
    let client = scene.client("alpha", Version::Http2);
    let get = |address: &'static str| {
        client
            .get(scene.url("alpha", "/"))
            .header("x-forwarded-for", address)
    };
    let mut refused = None;
    // More than the burst and what is refilled within the deadline.
    for _ in 0..100 {
        let response = get("192.0.2.1").send().await.unwrap();
        if response.status() != 200 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("nobody was refused");
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    let page = refused.text().await.unwrap();
    assert!(
        page.contains("You are trying to access this service too fast."),
        "{page}"
    );
    assert_eq!(answer(get("192.0.2.2")).await.0, 200);
    scene.settings("");
    assert_eq!(answer(get("192.0.2.1")).await.0, 200);
}

#[tokio::test]
async fn requests_are_written_down_as_long_as_the_settings_say_so() {
    let (scene, tool) = (Scene::new().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let ask = async |path: &str, version: Version| {
        let request = scene.client("alpha", version).get(scene.url("alpha", path));
        request
            .header("user-agent", "test")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
    };
    ask("/before", Version::Http1).await;
    scene.settings(&format!(
        "accessLog: {{ file: {}, format: json }}\n",
        file.display()
    ));
    ask("/one?x=y", Version::Http1).await;
    ask("/two", Version::Http2).await;
    scene.settings("");
    ask("/after", Version::Http1).await;
    // The log was let go, and its thread writes what it has.
    let lines = async {
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if text.lines().count() >= 2 {
                break text;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let text = tokio::time::timeout(DEADLINE, lines).await.unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (&line["target"], &line["protocol"]))
        .collect();
    assert_eq!(
        told,
        [
            (&"/one?x=y".into(), &"HTTP/1.1".into()),
            (&"/two".into(), &"HTTP/2.0".into())
        ]
    );
    for line in &lines {
        assert_eq!(
            (&line["namespace"], &line["status"]),
            (&"tool-alpha".into(), &200.into()),
            "{line}"
        );
        assert_eq!(
            (&line["visitor"], &line["sentBytes"]),
            (&"127.0.0.1".into(), &5.into()),
            "{line}"
        );
        assert_eq!(line["endpoint"], tool.address.to_string(), "{line}");
    }
}

#[tokio::test]
async fn urls_of_the_legacy_domain_lead_to_tools_own_hosts() {
    let (scene, tool) = (Scene::new().await, Tool::named("alpha").await);
    scene.route("alpha", &[tool.address]);
    // A host under the domain stands for the legacy one, so that the certificate is for it.
    scene.settings("legacyRedirect: { hosts: [legacy.toolforge.test], status: 307 }\n");
    let ask = async |path: &str| {
        let client = scene.client("legacy", Version::Http1);
        let response = client.get(scene.url("legacy", path)).send().await.unwrap();
        let location = response
            .headers()
            .get("location")
            .map(|location| location.to_str().unwrap().to_owned());
        (response.status().as_u16(), location)
    };
    let own = format!("https://alpha.{DOMAIN}:{PUBLIC_PORT}/x?y=z");
    assert_eq!(ask("/alpha/x?y=z").await, (307, Some(own)));
    assert_eq!(ask("/nobody/").await, (404, None));
}

#[tokio::test]
async fn files_that_every_site_is_asked_for_have_a_default() {
    let scene = Scene::new().await;
    let without = Tool::saying("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone").await;
    scene.route("alpha", &[without.address]);
    let with = Tool::named("its own").await;
    scene.route("beta", &[with.address]);
    let ask = async |tool: &str, path: &str| {
        let response = scene
            .client(tool, Version::Http1)
            .get(scene.url(tool, path))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let no_crawling = (200, "User-agent: *\nDisallow: /\n".to_owned());
    assert_eq!(ask("alpha", "/robots.txt").await, no_crawling);
    assert_eq!(ask("nobody", "/robots.txt").await, no_crawling);
    assert_eq!(ask("beta", "/robots.txt").await, (200, "its own".to_owned()));
    let (status, icon) = ask("alpha", "/favicon.ico").await;
    assert!(status == 200 && icon.starts_with("<svg"), "{status} {icon}");
    assert_eq!(ask("alpha", "/x/robots.txt").await, (404, "gone".to_owned()));
}
