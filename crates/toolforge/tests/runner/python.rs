//! Types python and uwsgi-plain.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use rustix::process::Signal;

use crate::tool::Tool;

const WSGI: &str = r#"
import os, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise RuntimeError("on purpose")
    if path == "/twice":
        start_response("200 OK", [("X-A", "b")])
        return (piece for piece in [b"one", b"", b"two"])
    if path == "/wait":
        open("begun", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.005)
    body = b"%s %s %s [%s]" % tuple(text.encode("latin-1") for text in (
        environ["wsgi.url_scheme"], environ["REQUEST_METHOD"], path, environ["QUERY_STRING"]))
    if environ["REQUEST_METHOD"] == "POST":
        body += b" " + environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
"#;

const ASGI: &str = r#"
import asyncio
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            print(message["type"], flush=True)
            await send({"type": message["type"] + ".complete"})
            if message["type"].endswith("shutdown"):
                return
    if scope["path"] == "/raise":
        raise RuntimeError("on purpose")
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    text = f"{scope['scheme']} {scope['method']} {scope['path']} {len(body)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]})
    for piece in (b"<", text, b">"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})
"#;

#[test]
fn a_wsgi_application_is_served() {
    let tool = Tool::with(&[("www/python/src/app.py", WSGI)]);
    let running = tool.run("python", &[]);
    for (head, body, says) in [
        ("GET /a%20b?q=1 HTTP/1.1", "", "https GET /a b [q=1]"),
        (
            "POST /x HTTP/1.1\r\nContent-Length: 5",
            "hello",
            "https POST /x [] hello",
        ),
        (
            "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked",
            "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nA: b\r\n\r\n",
            "https POST /x [] hello!",
        ),
        ("GET /twice HTTP/1.1", "", "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
        ("GET /twice HTTP/1.0", "", "\r\n\r\nonetwo"),
        ("GET /raise HTTP/1.1", "", "500 Internal Server Error"),
        (
            "GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
            "",
            "400 Bad Request",
        ),
        ("GET / HTTP/1.1\r\nContent-Length: x", "", "400 Bad Request"),
    ] {
        let answer = running.ask(head, body.as_bytes());
        assert!(answer.contains(says), "{head}: {answer}");
    }
    let head = running.ask("HEAD / HTTP/1.1", b"");
    assert!(
        head.contains("Content-Length: 15") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    running.says("RuntimeError: on purpose");
}

#[test]
fn a_connection_is_kept_and_requests_under_way_are_finished_at_the_end() {
    let tool = Tool::with(&[("www/python/src/app.py", WSGI)]);
    let mut running = tool.run("python", &[]);
    let mut idle = running.connect();
    let mut kept = BufReader::new(running.connect());
    for _ in 0..2 {
        kept.get_mut()
            .write_all(b"POST /k HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
            .unwrap();
        let mut lines = String::new();
        while !lines.ends_with("\r\n\r\n") {
            assert!(kept.read_line(&mut lines).unwrap() > 0, "{lines}");
        }
        assert!(!lines.contains("close"), "{lines}");
        let mut body = [0; "http POST /k [] ab".len()];
        kept.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"http POST /k [] ab");
    }
    kept.get_mut()
        .write_all(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    toolforge_testkit::eventually("the request is under way", || {
        let begun = tool.path("www/python/src/begun").exists();
        if begun { Ok(()) } else { Err(running.log()) }
    });
    running.tell(Signal::TERM);
    // What has no request is closed at once.
    assert_eq!(idle.read(&mut [0; 10]).unwrap(), 0);
    tool.write("www/python/src/go", "");
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("Connection: close") && rest.ends_with("http GET /wait []"),
        "{rest}"
    );
    assert_eq!(running.ended().code(), Some(0), "{}", running.log());
}

#[test]
fn an_asgi_application_is_served_by_uvicorn_or_without_it() {
    let tool = Tool::with(&[("www/python/src/app.py", ASGI)]);
    for hidden in [false, true] {
        if hidden {
            // A module that cannot be imported stands for one that is not there.
            for name in ["uvicorn", "hypercorn"] {
                tool.write(&format!("www/python/src/{name}.py"), "raise ImportError()");
            }
        }
        let running = tool.run("python", &[]);
        let log = running.says("serving app.py (ASGI)");
        assert_eq!(log.contains("with uvicorn"), !hidden, "{log}");
        for (head, body, says) in [
            ("GET /a%20b?q=1 HTTP/1.1", "", "https GET /a b 0"),
            (
                "POST /x HTTP/1.1\r\nContent-Length: 5",
                "hello",
                "https POST /x 5",
            ),
            (
                "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked",
                "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
                "https POST /x 6",
            ),
            ("GET /raise HTTP/1.1", "", "500 Internal Server Error"),
        ] {
            let answer = running.ask(head, body.as_bytes());
            assert!(answer.contains(says), "{hidden} {head}: {answer}");
        }
        if hidden {
            let upgrade = "GET /socket HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
            assert!(running.ask(upgrade, b"").starts_with("HTTP/1.1 501"));
            running.says("that needs uvicorn in ~/www/python/venv");
        }
        running.says("lifespan.startup");
        running.says("RuntimeError: on purpose");
        let (code, log) = running.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("lifespan.shutdown"), "{log}");
    }
}

#[test]
fn applications_are_told_apart_as_asgiref_does() {
    for (app, kind) in [
        (
            "class App:\n  async def __call__(self, scope, receive, send): await answer(send)\napp = App()",
            "ASGI",
        ),
        (
            "class app:\n  def __init__(self, scope): pass\n  async def __call__(self, receive, send): await answer(send)",
            "ASGI",
        ),
        (
            "import functools\nasync def it(x, scope, receive, send): await answer(send)\napp = functools.partial(it, 1)",
            "ASGI",
        ),
        (
            "class app:\n  def __init__(self, environ, start):\n    start('200 OK', [])\n  def __iter__(self):\n    yield b'served'",
            "port",
        ),
        (
            "def app(environ, start):\n  start('200 OK', [])\n  return [b'served']",
            "port",
        ),
    ] {
        let answer = "async def answer(send):\n  await send({'type': 'http.response.start', 'status': 200})\n  await send({'type': 'http.response.body', 'body': b'served'})\n";
        let tool = Tool::with(&[("www/python/src/app.py", &format!("{answer}{app}\n"))]);
        let running = tool.run("python", &[]);
        let log = running.says("serving app.py");
        assert!(log.contains(kind), "{app}: {log}");
        let page = running.get("/");
        assert!(page.contains("served"), "{app}: {page}\n{}", running.log());
    }
}

#[test]
fn an_application_that_is_none_says_so() {
    let tool = Tool::with(&[("www/python/src/app.py", "application = None\n")]);
    let (code, said) = tool.end(tool.command(&["python"]));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("has no callable `app`"), "{said}");
    tool.write("www/python/src/app.py", "import no_such_module\n");
    let (code, said) = tool.end(tool.command(&["python"]));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("No module named 'no_such_module'"), "{said}");
}

#[test]
fn uwsgi_runs_where_the_tool_has_a_file_for_it() {
    let tool = Tool::with(&[
        ("www/python/src/app.py", WSGI),
        ("www/python/uwsgi.ini", "[uwsgi]\nadd-header = X-By: uwsgi\n"),
    ]);
    let running = tool.run("python", &[]);
    running.says("running uwsgi");
    let answer = running.get("/a?q=1");
    assert!(
        answer.contains("X-By: uwsgi") && answer.contains("GET /a [q=1]"),
        "{answer}\n{}",
        std::fs::read_to_string(tool.path("uwsgi.log")).unwrap_or_default()
    );
    let (code, log) = running.stop();
    assert_eq!(code, Some(0), "{log}");

    // Without it the file is not read, and that is said.
    let mut command = tool.command(&["python"]);
    tool.write("bin/python3", "#!/bin/sh\nexit 9\n");
    command.env("PATH", tool.path("bin"));
    let (code, said) = tool.end(command);
    assert_eq!(code, 9, "{said}");
    assert!(
        said.contains("uwsgi.ini is not read: uwsgi is not installed here"),
        "{said}"
    );
}

#[test]
fn uwsgi_plain_runs_by_the_tools_own_file() {
    let tool = Tool::with(&[
        ("site.py", WSGI),
        (
            "uwsgi.ini",
            "[uwsgi]\nplugin = python3\nwsgi-file = site.py\ncallable = app\n",
        ),
    ]);
    let running = tool.run("uwsgi-plain", &[]);
    assert!(running.get("/a").contains("GET /a []"));
}
