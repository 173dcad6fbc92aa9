//! A site as visitors meet it, without a socket.

use std::{fs, os::unix::fs::symlink, path::Path};

use axum::http::{HeaderMap, request};
use clap::Parser as _;
use tower::ServiceExt as _;

use super::*;
use crate::runner::Arguments;

struct Home(tempfile::TempDir);

impl Home {
    /// A home with these files below `public_html`.
    fn with(files: &[(&str, &str)]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir(home.site()).unwrap();
        for (name, text) in files {
            let path = home.site().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn site(&self) -> PathBuf {
        self.path().join("public_html")
    }

    fn router(&self, extra: &[&str]) -> Router {
        let arguments = Arguments::try_parse_from(["runner", "--type", "static", "--port", "1"]).unwrap();
        let place = Place::at(self.path().to_owned(), &arguments).unwrap();
        let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
        Site::new(&place, SiteArgs::read(&extra).unwrap(), None)
            .unwrap()
            .router()
    }

    async fn get(&self, path: &str) -> Answer {
        ask(self.router(&[]), Request::get(path)).await
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

async fn ask(router: Router, request: request::Builder) -> Answer {
    let answer = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap().to_vec();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    }
}

#[tokio::test]
async fn files_and_index_files_have_their_types() {
    let home = Home::with(&[
        ("index.html", "<p>front"),
        ("deep/index.htm", "<p>deep"),
        ("deep/data.json", "[1]"),
        ("a b.txt", "ä"),
        ("app.js", "let x"),
    ]);
    fs::write(home.site().join("latin.html"), b"<meta charset=latin1>\xe4").unwrap();
    for (path, kind, text) in [
        ("/", "text/html; charset=utf-8", "<p>front"),
        ("/deep/", "text/html; charset=utf-8", "<p>deep"),
        ("/deep/data.json", "application/json", "[1]"),
        ("/a%20b.txt", "text/plain; charset=utf-8", "ä"),
        ("//app.js", "text/javascript; charset=utf-8", "let x"),
    ] {
        let answer = home.get(path).await;
        assert_eq!(
            (
                answer.status,
                answer.header("content-type"),
                answer.text().as_str()
            ),
            (200, kind, text),
            "{path}"
        );
    }
    assert_eq!(home.get("/latin.html").await.header("content-type"), "text/html");
}

#[tokio::test]
async fn what_is_hidden_or_elsewhere_is_not_served() {
    let home = Home::with(&[
        (".htaccess", "secret"),
        (".git/config", "secret"),
        ("deep/.env", "secret"),
        ("config.php", "secret"),
        (".well-known/security.txt", "open"),
    ]);
    fs::write(home.path().join("notes.txt"), "shared").unwrap();
    fs::create_dir(home.path().join(".kube")).unwrap();
    fs::write(home.path().join(".kube/config"), "secret").unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("passwd"), "outside").unwrap();
    for (target, link) in [
        (home.path().join("notes.txt"), "notes"),
        (home.path().join(".kube/config"), "kube"),
        (home.path().join(".kube"), "kubes"),
        (home.site().join("config.php"), "config.txt"),
        (outside.path().join("passwd"), "passwd"),
        (outside.path().to_owned(), "outside"),
    ] {
        symlink(target, home.site().join(link)).unwrap();
    }
    for path in [
        "/.htaccess",
        "/.git/config",
        "/deep/.env",
        "/config.php",
        "/config.txt",
        "/../notes.txt",
        "/%2e%2e/notes.txt",
        "/deep/..%2f..%2fnotes.txt",
        "/..%5cnotes.txt",
        "/kube",
        "/kubes/config",
        "/passwd",
        "/outside/passwd",
        "/.well-known/security.txt/",
        "/%00",
    ] {
        let answer = home.get(path).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, "This tool has no such page.\n"),
            "{path}"
        );
    }
    assert_eq!(home.get("/.well-known/security.txt").await.text(), "open");
    assert_eq!(home.get("/notes").await.text(), "shared");
    let allowed = outside.path().to_str().unwrap();
    let router = home.router(&["--links-to", allowed]);
    assert_eq!(ask(router, Request::get("/passwd")).await.text(), "outside");
}

#[tokio::test]
async fn ranges_and_conditions_save_what_they_can() {
    let home = Home::with(&[("data.bin", "0123456789")]);
    let whole = home.get("/data.bin").await;
    let (tag, modified) = (
        whole.header("etag").to_owned(),
        whole.header("last-modified").to_owned(),
    );
    for (fields, status, body) in [
        (vec![("range", "bytes=2-4")], 206, "234"),
        (vec![("range", "bytes=-2")], 206, "89"),
        (vec![("range", "bytes=8-")], 206, "89"),
        (vec![("range", "bytes=20-")], 416, ""),
        (vec![("range", "bytes=0-1,4-5")], 200, "0123456789"),
        (vec![("range", "bytes=2-4"), ("if-range", &tag)], 206, "234"),
        (vec![("range", "bytes=2-4"), ("if-range", &modified)], 206, "234"),
        (
            vec![("range", "bytes=2-4"), ("if-range", "\"other\"")],
            200,
            "0123456789",
        ),
        (vec![("if-none-match", &tag)], 304, ""),
        (vec![("if-none-match", "\"other\"")], 200, "0123456789"),
        (vec![("if-modified-since", &modified)], 304, ""),
        (vec![("if-match", "\"other\"")], 412, ""),
    ] {
        let mut request = Request::get("/data.bin");
        for (name, value) in &fields {
            request = request.header(*name, *value);
        }
        let answer = ask(home.router(&[]), request).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, body),
            "{fields:?}"
        );
    }
    let head = ask(home.router(&[]), Request::head("/data.bin")).await;
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, "10", 0)
    );
    let post = ask(home.router(&[]), Request::post("/data.bin")).await;
    assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn text_is_compressed_for_those_who_want_it() {
    let long = "all work and no play ".repeat(100);
    let home = Home::with(&[
        ("long.txt", long.as_str()),
        ("app.js", long.as_str()),
        ("app.js.br", "brotli"),
        ("app.js.gz", "gzip"),
    ]);
    let wanting = |path: &'static str, codings: &'static str| {
        ask(
            home.router(&[]),
            Request::get(path).header("accept-encoding", codings),
        )
    };
    let plain = home.get("/long.txt").await;
    let gzip = wanting("/long.txt", "gzip").await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert_eq!(gzip.header("etag"), format!("W/{}", plain.header("etag")));
    assert!(gzip.header("vary").contains("accept-encoding") && gzip.body.len() < 200);
    assert_eq!(
        wanting("/long.txt", "zstd, gzip;q=0.5")
            .await
            .header("content-encoding"),
        "zstd"
    );
    assert_eq!(wanting("/long.txt", "gzip;q=0").await.text(), long);
    let weak = ask(
        home.router(&[]),
        Request::get("/long.txt")
            .header("accept-encoding", "gzip")
            .header("if-none-match", gzip.header("etag")),
    )
    .await;
    assert_eq!(weak.status, 304);
    let part = ask(
        home.router(&[]),
        Request::get("/long.txt")
            .header("accept-encoding", "gzip")
            .header("range", "bytes=0-999"),
    )
    .await;
    assert_eq!(
        (part.status, part.header("content-encoding"), part.text().as_str()),
        (206, "", &long[..1000])
    );
    // What lies beside it is taken as it is, with the type of what it stands for.
    for (codings, coding, body) in [
        ("br", "br", "brotli"),
        ("gzip", "gzip", "gzip"),
        ("identity", "", long.as_str()),
    ] {
        let answer = wanting("/app.js", codings).await;
        assert_eq!(
            (answer.header("content-encoding"), answer.text().as_str()),
            (coding, body)
        );
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert!(answer.header("vary").contains("accept-encoding"), "{answer:?}");
    }
}

#[tokio::test]
async fn folders_are_listed_only_where_the_tool_wants_it() {
    let home = Home::with(&[
        ("open/a&b <i>.txt", "x"),
        ("open/javascript:x", "x"),
        ("open/deep/c.txt", "x"),
        ("open/.hidden", "x"),
        ("closed/secret.txt", "x"),
        ("openly/secret.txt", "x"),
    ]);
    for path in ["/", "/open/", "/closed/"] {
        assert_eq!(home.get(path).await.status, 404, "{path}");
    }
    let lists = ["--directory-lists=/open"];
    let list = ask(home.router(&lists), Request::get("/open/")).await;
    assert_eq!(
        (list.status, list.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let text = list.text();
    for part in [
        "<a href=\"../\">",
        "<a href=\"./deep/\">deep/</a>",
        "<a href=\"./a%26b%20%3Ci%3E.txt\">a&amp;b &lt;i&gt;.txt</a>",
        "<a href=\"./javascript%3Ax\">",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("hidden"), "{text}");
    assert_eq!(
        ask(home.router(&lists), Request::get("/open/deep/")).await.status,
        200
    );
    for path in ["/closed/", "/openly/", "/"] {
        assert_eq!(
            ask(home.router(&lists), Request::get(path)).await.status,
            404,
            "{path}"
        );
    }
    let all = ["--directory-lists"];
    assert_eq!(ask(home.router(&all), Request::get("/")).await.status, 200);
}

#[tokio::test]
async fn a_folder_without_its_slash_is_sent_there() {
    let home = Home::with(&[("deep/index.html", "x"), ("evil.example/index.html", "x")]);
    for (path, target) in [
        ("/deep?a=b", "/deep/?a=b"),
        ("//evil.example", "/evil.example/"),
        ("/deep/%2e", ""),
    ] {
        let answer = home.get(path).await;
        let status = if target.is_empty() { 404 } else { 301 };
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, target),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_tools_own_page_is_shown_for_what_is_missing() {
    let home = Home::with(&[("404.html", "<p>not here")]);
    let request = Request::get("/nothing").header("range", "bytes=0-1");
    let answer = ask(home.router(&[]), request).await;
    assert_eq!(
        (answer.status, answer.text().as_str(), answer.header("etag")),
        (404, "<p>not here", "")
    );
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
}

#[test]
fn what_the_site_is_told_is_checked() {
    let read = |extra: &[&str]| {
        let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
        SiteArgs::read(&extra)
    };
    assert_eq!(read(&["--directory-lists"]).unwrap().lists, ["/"]);
    assert_eq!(
        read(&["--directory-lists=/a", "--directory-lists=/b"])
            .unwrap()
            .lists,
        ["/a", "/b"]
    );
    let error = read(&["--lists"]).unwrap_err();
    assert!(
        error.starts_with("unexpected argument '--lists'") && error.contains("--directory-lists"),
        "{error}"
    );
}
