"""A WSGI server (PEP 3333) of the standard library's parts: a thread for each connection, HTTP/1.1 with kept
connections and chunks, and an end that lets requests finish."""

import signal
import socket
import socketserver
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler
from urllib.parse import unquote_to_bytes

# Requests that are in the application at once: for most applications more would only wait for each other.
REQUESTS = 32
# A kept connection without a request is closed after this many seconds, later than the gateway does.
IDLE_SECONDS = 75
# A request that takes longer than this to arrive, or whose answer nobody takes, is given up.
PATIENCE_SECONDS = 60
# How long requests may take to finish after the stop; Kubernetes kills after 30 seconds.
DRAIN_SECONDS = 25

HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding", "upgrade"}


class BadRequest(Exception):
    """What was sent is not a request body."""


class Body:
    """What the visitor sends: of a known length, in chunks, or nothing."""

    def __init__(self, stream, length, chunked, before):
        self.stream, self.left, self.chunked, self.before = stream, length, chunked, before
        self.finished = not chunked and length == 0

    def _begin(self):
        if self.before:
            before, self.before = self.before, None
            before()

    def read(self, size=-1):
        pieces, want = [], float("inf") if size is None or size < 0 else size
        while want > 0 and not self.finished:
            piece = self._piece(min(want, 65536))
            pieces.append(piece)
            want -= len(piece)
        return b"".join(pieces)

    def readline(self, size=-1):
        line, want = bytearray(), float("inf") if size is None or size < 0 else size
        while len(line) < want and not self.finished:
            piece = self._piece(min(want - len(line), 65536), line=True)
            line += piece
            if line.endswith(b"\n"):
                break
        return bytes(line)

    def readlines(self, hint=-1):
        return list(self)

    def __iter__(self):
        return iter(self.readline, b"")

    def _piece(self, most, line=False):
        self._begin()
        if self.chunked and self.left == 0:
            self._next_chunk()
            if self.finished:
                return b""
        most = min(most, self.left)
        piece = self.stream.readline(most) if line else self.stream.read(most)
        if not piece:
            raise BadRequest("the request ended too early")
        self.left -= len(piece)
        if self.left == 0:
            if self.chunked:
                self._end_of_line()
            else:
                self.finished = True
        return piece

    def _next_chunk(self):
        size = self.stream.readline(1024).split(b";")[0].strip()
        if not size or size.strip(b"0123456789abcdefABCDEF"):
            raise BadRequest("a chunk has no length")
        self.left = int(size, 16)
        if self.left == 0:
            for _ in range(100):
                if self.stream.readline(8192).strip() == b"":
                    break
            self.finished = True

    def _end_of_line(self):
        if self.stream.readline(3).strip() != b"":
            raise BadRequest("a chunk has another length than it says")

    def skip(self, most=1 << 20):
        """Reads over what the application left; false where that is too much."""
        while not self.finished and most > 0:
            most -= len(self._piece(65536))
        return self.finished


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def setup(self):
        super().setup()
        self.server.opened(self)

    def finish(self):
        self.server.closed(self)
        try:
            super().finish()
        except OSError:
            pass

    def handle(self):
        try:
            super().handle()
        except (OSError, BadRequest):
            pass  # The visitor went away, or sent something that has no answer any more.

    def handle_one_request(self):
        self.connection.settimeout(IDLE_SECONDS)
        try:
            self.raw_requestline = self.rfile.readline(65537)
        except (socket.timeout, ConnectionError):
            self.raw_requestline = b""
        if not self.raw_requestline:
            self.close_connection = True
            return
        self.connection.settimeout(PATIENCE_SECONDS)
        with self.server.busy(self):
            if len(self.raw_requestline) > 65536:
                self.requestline = self.request_version = self.command = ""
                self.send_error(414)
                self.close_connection = True
            elif self.parse_request():
                self.answer()
            if self.server.stopping:
                self.close_connection = True
            self.wfile.flush()

    def handle_expect_100(self):
        return True  # Said when the application begins to read.

    def answer(self):
        coding = self.headers.get("Transfer-Encoding", "").strip().lower()
        length = self.headers.get("Content-Length", "0").strip()
        lengths = set(self.headers.get_all("Content-Length", []))
        if coding not in ("", "chunked") or not length.isdigit() or len(lengths) > 1 or (coding and lengths):
            self.close_connection = True
            self.send_error(400)
            return
        before = None
        if self.headers.get("Expect", "").lower() == "100-continue" and self.request_version != "HTTP/1.0":
            before = self.say_continue
        body = Body(self.rfile, 0 if coding else int(length), coding == "chunked", before)
        answer = Answer(self)
        try:
            with self.server.places:
                answer.run(self.server.application, self.environ(body, length, coding))
        except (BadRequest, OSError):
            self.close_connection = True
            raise
        except Exception:
            traceback.print_exc()
            self.close_connection = True
            if not answer.sent:
                self.send_error(500)
            return
        if not body.finished and (body.before or not body.skip()):
            self.close_connection = True

    def say_continue(self):
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()

    def environ(self, body, length, coding):
        path, _, query = self.path.partition("?")
        if path.startswith(("http://", "https://")):
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        # The gateway speaks HTTPS with the visitor; links must say so too.
        https = self.headers.get("X-Forwarded-Proto") == "https"
        host = self.headers.get("Host", "localhost")
        name, _, port = host.rpartition(":") if ":" in host and not host.endswith("]") else (host, "", "")
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": self.path,
            "SERVER_NAME": name or host,
            "SERVER_PORT": port or ("443" if https else "80"),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if https else "http",
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if https:
            environ["HTTPS"] = "on"
        if "Content-Type" in self.headers:
            environ["CONTENT_TYPE"] = self.headers["Content-Type"]
        if not coding and "Content-Length" in self.headers:
            environ["CONTENT_LENGTH"] = length
        for key in set(self.headers.keys()):
            # With an underscore a name would pass for another one, and HTTP_PROXY is no header (httpoxy).
            if "_" not in key and key.lower() not in ("content-type", "content-length", "proxy"):
                joint = "; " if key.lower() == "cookie" else ", "
                environ["HTTP_" + key.upper().replace("-", "_")] = joint.join(self.headers.get_all(key))
        return environ

    def log_message(self, *_):
        pass


class Answer:
    """What the application answers, on its way to the visitor."""

    def __init__(self, handler):
        self.handler, self.status, self.headers = handler, None, None
        self.sent = self.chunked = self.silent = False

    def start(self, status, headers, exc_info=None):
        if exc_info:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise RuntimeError("start_response was called twice")
        if "\n" in status or any("\n" in text or "\r" in text for pair in headers for text in pair):
            raise ValueError("a status or header field has a line break")
        self.status, self.headers = status, list(headers)
        return self.write

    def send_head(self, length=None):
        if not self.status:
            raise RuntimeError("the application gave an answer without start_response")
        self.sent = True
        handler, names = self.handler, {name.lower() for name, _ in self.headers}
        code = int(self.status.split(" ", 1)[0])
        bodiless = code < 200 or code in (204, 304)
        self.silent = bodiless or handler.command == "HEAD"
        lines = [f"HTTP/1.1 {self.status}"]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() not in HOP_BY_HOP]
        if "date" not in names:
            lines.append(f"Date: {handler.date_time_string()}")
        if "content-length" not in names and not bodiless:
            if length is not None:
                lines.append(f"Content-Length: {length}")
            elif handler.request_version == "HTTP/1.1":
                self.chunked = handler.command != "HEAD"
                lines.append("Transfer-Encoding: chunked")
            else:
                handler.close_connection = True
        if handler.server.stopping:
            handler.close_connection = True
        if handler.close_connection:
            lines.append("Connection: close")
        elif handler.request_version == "HTTP/1.0":
            lines.append("Connection: keep-alive")
        handler.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")

    def write(self, data, last=False):
        if not self.sent:
            self.send_head(len(data) if last else None)
        if self.silent or not data:
            return
        out = self.handler.wfile
        if self.chunked:
            out.write(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            out.write(data)
        if not last:
            out.flush()

    def run(self, application, environ):
        result = application(environ, self.start)
        try:
            only = isinstance(result, (list, tuple)) and len(result) == 1
            for piece in result:
                if piece:
                    self.write(piece, last=only)
            if not self.sent:
                self.send_head(0)
            if self.chunked:
                self.handler.wfile.write(b"0\r\n\r\n")
            self.handler.wfile.flush()
        finally:
            if hasattr(result, "close"):
                result.close()


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, application, port):
        self.application, self.stopping = application, False
        self.places = threading.BoundedSemaphore(REQUESTS)
        self.lock, self.idle, self.working = threading.Lock(), set(), set()
        super().__init__(("0.0.0.0", port), Handler)

    def handle_error(self, request, client_address):
        traceback.print_exc()

    def opened(self, handler):
        with self.lock:
            self.idle.add(handler)

    def closed(self, handler):
        with self.lock:
            self.idle.discard(handler)
            self.working.discard(handler)

    def busy(self, handler):
        return Busy(self, handler)

    def drain(self):
        """Closes what has no request, and gives the others their time."""
        self.stopping = True
        self.server_close()
        with self.lock:
            for handler in self.idle:
                try:
                    handler.connection.shutdown(socket.SHUT_RD)
                except OSError:
                    pass
        end = time.monotonic() + DRAIN_SECONDS
        while (self.working or self.idle) and time.monotonic() < end:
            time.sleep(0.01)


class Busy:
    """While a request of a connection is under way."""

    def __init__(self, server, handler):
        self.server, self.handler = server, handler

    def __enter__(self):
        with self.server.lock:
            self.server.idle.discard(self.handler)
            self.server.working.add(self.handler)

    def __exit__(self, *_):
        with self.server.lock:
            self.server.working.discard(self.handler)
            self.server.idle.add(self.handler)


def serve(application, port):
    server = Server(application, port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    stop.wait()
    server.shutdown()
    server.drain()
