//! `webservice` tells the truth: every cause of failure as a maintainer meets it, with its exit code, `status` and
//! `why`; and restarts that no visitor notices.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "truth/causes.rs"]
mod causes;
#[path = "truth/load.rs"]
mod load;
#[path = "truth/maintainer.rs"]
mod maintainer;

const PROGRAM: &str = env!("CARGO_BIN_EXE_toolforge");

/// A server of the standard library that answers `/` with 200 and `/ill` with 500.
const SERVER: &str = "import http.server as h, os, signal, socketserver as s\n\
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\n\
    class H(h.BaseHTTPRequestHandler):\n\
    \x20def do_GET(self):\n\
    \x20 self.send_response(500 if self.path == '/ill' else 200); self.send_header('content-length', '2'); self.end_headers(); self.wfile.write(b'ok')\n\
    \x20def log_message(self, *a): pass\n\
    class S(s.ThreadingMixIn, s.TCPServer): request_queue_size = 128; daemon_threads = True\n\
    S(('', int(os.environ['PORT'])), H).serve_forever()";
