//! The requests, what the tool answers, and where the gateway does not do what nginx does, with the reason.

/// One request.
#[derive(Debug)]
pub(super) struct Case {
    /// As it is sent, without what every request has: see [`Case::request`].
    pub(super) request: &'static str,
    /// What the tool answers; where it is empty, a small text.
    pub(super) answer: &'static str,
    /// The aspects in which both differ, and why.
    pub(super) differs: &'static [(&'static str, &'static str)],
}

/// Aspects that may differ in each case, and why.
pub(super) const EVERYWHERE: &[(&str, &str)] = &[
    ("field server", "visitors need not know what serves them"),
    ("field date", "it is another moment"),
    ("field connection", "each has its own connection to the visitor"),
    ("field keep-alive", "each has its own connection to the visitor"),
    ("field transfer-encoding", "each frames what it sends"),
    ("field content-length", "each frames what it sends"),
    (
        "tool field connection",
        "nginx opens a connection for each request, as the original did",
    ),
    ("tool field x-request-id", "the original had none"),
    ("tool field content-length", "each frames what it sends"),
    ("tool field transfer-encoding", "each frames what it sends"),
];

impl Case {
    /// `HOST` stands for the field with the tool's host, and `UA` for one that names a browser.
    pub(super) fn request(&self) -> String {
        self.request
            .replace("HOST", "Host: alpha.toolforge.test")
            .replace("UA", "User-Agent: test")
    }

    pub(super) fn answer(&self) -> String {
        let answer = if self.answer.is_empty() {
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
        } else {
            self.answer
        };
        answer.replacen("\r\n", "\r\nX-Tool: yes\r\n", 1)
    }
}

const fn case(request: &'static str) -> Case {
    answered(request, "")
}

const fn answered(request: &'static str, answer: &'static str) -> Case {
    Case {
        request,
        answer,
        differs: &[],
    }
}

impl Case {
    const fn but(self, differs: &'static [(&'static str, &'static str)]) -> Self {
        Self { differs, ..self }
    }
}

const ADDRESSES: &str = "tools do not see visitors' addresses, nor what visitors make up";
const LINES: &str = "not all servers take a bare LF for the end of a line (RFC 9112 2.2 lets them)";
const NO_ANSWER: &str = "nginx takes it for HTTP/0.9, and shows visitors what is no answer";

pub(super) const CASES: &[Case] = &[
    // Methods and targets.
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("HEAD / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("OPTIONS /a HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("DELETE /a HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("PROPFIND /a HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("REPORT-IT /a HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("get / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n").but(&[("status", "a method is any token, and the tool's to know (RFC 9110 9.1)"), ("tool", "a method is any token, and the tool's to know (RFC 9110 9.1)")]),
    case("TRACE / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("CONNECT alpha.toolforge.test:443 HTTP/1.1\r\nHOST\r\nUA\r\n\r\n").but(&[("status", "405 is what it is: we are no proxy for others")]),
    case("GET /a?b=c&d HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /? HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET //a//b HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /a/../b/./c HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /../../etc/passwd HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /%2e%2e/%2F%41%c3%a9 HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /%zz HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /%00 HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /a{b}|\"^ HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /a<b>` HTTP/1.1\r\nHOST\r\nUA\r\n\r\n").but(&[("status", "no URL has it unencoded (RFC 3986), and no browser sends it"), ("tool", "no URL has it unencoded (RFC 3986), and no browser sends it")]),
    case("GET /a?<b>[c]|' HTTP/1.1\r\nHOST\r\nUA\r\n\r\n").but(&[("status", "no URL has it unencoded (RFC 3986), and no browser sends it"), ("tool", "no URL has it unencoded (RFC 3986), and no browser sends it")]),
    case("GET /caf\u{e9} HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /a#b HTTP/1.1\r\nHOST\r\nUA\r\n\r\n").but(&[("status", "what follows # never leaves a client (RFC 9110 7.1)"), ("tool", "what follows # never leaves a client (RFC 9110 7.1)")]),
    case("GET /a b HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET  / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n").but(&[("status", "one space, or two servers read different lines (RFC 9112 3)"), ("tool", "one space, or two servers read different lines (RFC 9112 3)")]),
    case("GET https://alpha.toolforge.test/a?b HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET https://alpha.toolforge.test HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET https://alpha.toolforge.test/a HTTP/1.1\r\nHost: beta.toolforge.test\r\nUA\r\n\r\n").but(&[("tool field host", "the request line wins (RFC 9112 3.2.2)"), ("tool field x-forwarded-host", "the request line wins (RFC 9112 3.2.2)")]),
    case("GET a HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("OPTIONS * HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    // Versions.
    case("GET / HTTP/1.0\r\nHOST\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.0\r\nUA\r\n\r\n").but(&[("status", "without a host there is no tool; the original has done so since 2020-10"), ("tool", "without a host there is no tool; the original has done so since 2020-10")]),
    case("GET / HTTP/1.2\r\nHOST\r\nUA\r\n\r\n").but(&[("status", "there is none"), ("tool", "there is none")]),
    case("GET / HTTP/2.0\r\nHOST\r\nUA\r\n\r\n"),
    case("GET / http/1.1\r\nHOST\r\nUA\r\n\r\n"),
    // Hosts.
    case("GET / HTTP/1.1\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHost:\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nHOST\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHost: ALPHA.toolforge.test\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHost: alpha.toolforge.test.\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHost: alpha.toolforge.test:8443\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHost: alpha.toolforge.test:x\r\nUA\r\n\r\n").but(&[("status", "it is no host (RFC 9110 7.2)"), ("tool", "it is no host (RFC 9110 7.2)")]),
    case("GET / HTTP/1.1\r\nHost: alpha.toolforge.test/a\r\nUA\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHost: a@alpha.toolforge.test\r\nUA\r\n\r\n").but(&[("status", "it is no host (RFC 9110 7.2)"), ("tool", "it is no host (RFC 9110 7.2)")]),
    // Fields that pass, and fields that do not.
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-A: 1\r\nX-A: 2\r\nX-Empty:\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n").but(&[("tool field cookie", "servers look at the first field alone (RFC 6265 5.4)")]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nAuthorization: Basic YTpi\r\nRange: bytes=0-1\r\nIf-None-Match: \"a\"\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nProxy: http://evil.example/\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n\r\n").but(&[("tool field forwarded", ADDRESSES), ("tool field x-forwarded-for", ADDRESSES), ("tool field x-real-ip", ADDRESSES)]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-Forwarded-Host: e\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 1\r\nX-Original-URI: /e\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX_under: 1\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\n").but(&[("tool field x-hop", "it belongs to the connection (RFC 9110 7.6.1)")]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nTE: trailers\r\n\r\n").but(&[("tool field te", "we pass trailers on")]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nUpgrade: websocket\r\n\r\n").but(&[("tool field upgrade", "it belongs to the connection, and that does not name it (RFC 9110 7.8)")]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-High: caf\u{e9}\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-Zero: a\0b\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-Bell: a\u{7}b\r\n\r\n").but(&[("status", "no field has it (RFC 9110 5.5)"), ("tool", "no field has it (RFC 9110 5.5)")]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-Fold: a\r\n b\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-Space : a\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\n: nameless\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nno colon\r\n\r\n"),
    case("GET / HTTP/1.1\nHOST\nUA\n\n").but(&[("status", LINES), ("tool", LINES)]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\nX-Bare: a\r\n\r\n").but(&[("status", LINES), ("tool", LINES)]),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nX-Return: a\rb\r\n\r\n"),
    // Bodies, and how long they are.
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: a\r\n\r\n").but(&[("tool body", "we pass trailers on")]),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: identity\r\n\r\n").but(&[("status", "it does not end with chunked, so that nobody knows where it ends (RFC 9112 6.3)")]),
    case("POST /a HTTP/1.0\r\nHOST\r\nUA\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 3, 3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: +3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: -3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 0x3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 99999999999999999999\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nContent-Length: 65537\r\n\r\n"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
    case("POST /a HTTP/1.1\r\nHOST\r\nUA\r\nExpect: the-unexpected\r\nContent-Length: 3\r\n\r\nabc").but(&[("status", "nobody can meet it (RFC 9110 10.1.1)"), ("tool", "nobody can meet it (RFC 9110 10.1.1)")]),
    // Who is refused, and what is answered without a tool.
    case("GET / HTTP/1.1\r\nHOST\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUser-Agent:\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUser-Agent: TweetmemeBot/1\r\n\r\n"),
    case("GET / HTTP/1.1\r\nHOST\r\nUA\r\nReferer: https://spam.example/\r\n\r\n"),
    case("GET /.well-known/healthz HTTP/1.1\r\nHOST\r\nUA\r\n\r\n"),
    case("GET /.well-known/healthz HTTP/1.1\r\nHOST\r\n\r\n").but(&[("status", "who looks whether we live need not say more")]),
    // What tools answer.
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: a\r\n\r\n").but(&[("body", "we pass trailers on")]),
    answered("GET / HTTP/1.0\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nabc"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nno"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nno"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=0\r\nPermissions-Policy: camera=(self)\r\nX-Powered-By: PHP\r\nContent-Length: 0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /.well-known/healthz\r\nX-Accel-Expires: 3\r\nContent-Length: 0\r\n\r\n").but(&[("answer", "it is an order to nginx: a tool would choose what of the proxy's is shown")]),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=9\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 0\r\n\r\n").but(&[("field x-hop", "it belongs to the connection (RFC 9110 7.6.1)")]),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://alpha.toolforge.test/b?c\r\nContent-Length: 0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://beta.toolforge.test/b\r\nContent-Length: 0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"),
    answered("GET /robots.txt HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
    answered("GET /robots.txt HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", ""),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "SSH-2.0-OpenSSH\r\nconnection: close\r\n\r\n").but(&[("status", NO_ANSWER), ("field permissions-policy", NO_ANSWER), ("field strict-transport-security", NO_ANSWER), ("field x-clacks-overhead", NO_ANSWER)]),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc").but(&[("status", "nobody knows where it ends (RFC 9112 6.3)")]),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nconnection: close\r\n\r\nabc"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Fold: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 0\r\n\r\n").but(&[("status", "nginx takes it for the answer")]),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nconnection: close\r\n\r\n").but(&[("status", "nobody asked for it: the tool's bytes would be taken for answers of ours")]),
    answered("GET / HTTP/1.1\r\nHOST\r\nUA\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"),
];
