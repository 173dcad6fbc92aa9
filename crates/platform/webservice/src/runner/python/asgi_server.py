"""A small ASGI 3 server: HTTP/1.1 and lifespan. WebSockets, HTTP/2 and speed are what uvicorn is for."""

import asyncio
import signal
import sys
import traceback
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

# As in the WSGI server.
IDLE_SECONDS = 75
PATIENCE_SECONDS = 60
DRAIN_SECONDS = 25
HEAD_BYTES = 65536


class BadRequest(Exception):
    """What was sent is no request."""


class Request:
    """A request, and the answer to it."""

    def __init__(self, reader, writer, lines, state):
        self.reader, self.writer = reader, writer
        try:
            self.method, self.target, version = lines[0].decode("latin-1").split(" ")
            self.headers = [self.field(line) for line in lines[1:]]
        except ValueError:
            raise BadRequest from None
        if not version.startswith("HTTP/1."):
            raise BadRequest
        self.version = version[5:]
        values = {}
        for name, value in self.headers:
            values.setdefault(name, []).append(value)
        self.values = {name: b", ".join(found) for name, found in values.items()}
        coding = self.values.get(b"transfer-encoding", b"").lower()
        length = self.values.get(b"content-length", b"0")
        if coding not in (b"", b"chunked") or not length.isdigit() or (coding and b"content-length" in self.values):
            raise BadRequest
        self.in_chunks, self.left = coding == b"chunked", 0 if coding else int(length)
        self.read_all = not self.in_chunks and self.left == 0
        self.told_end = False
        words = self.values.get(b"connection", b"").lower()
        self.keep = b"close" not in words and (self.version == "1.1" or b"keep-alive" in words)
        self.expects = self.values.get(b"expect", b"").lower() == b"100-continue"
        self.state = state
        self.status, self.out, self.sent, self.done, self.chunked = None, [], False, asyncio.Event(), False

    @staticmethod
    def field(line):
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadRequest
        return name.lower(), value.strip()

    def scope(self):
        path, _, query = self.target.partition("?")
        raw = path.encode("latin-1")
        https = self.values.get(b"x-forwarded-proto") == b"https"
        host = self.values.get(b"host", b"localhost").decode("latin-1")
        name, _, port = host.partition(":")
        peer = self.writer.get_extra_info("peername")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self.version,
            "method": self.method,
            "scheme": "https" if https else "http",
            "path": unquote_to_bytes(raw).decode("utf-8", "replace"),
            "raw_path": raw,
            "query_string": query.encode("latin-1"),
            "root_path": "",
            "headers": self.headers,
            "client": list(peer[:2]) if peer else None,
            "server": [name, int(port) if port.isdigit() else (443 if https else 80)],
            "state": dict(self.state),
        }

    async def receive(self):
        if self.told_end:
            # Nothing but the end can come.
            gone = asyncio.ensure_future(self.gone())
            finished = asyncio.ensure_future(self.done.wait())
            await asyncio.wait((gone, finished), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel(), finished.cancel()
            return {"type": "http.disconnect"}
        if self.expects and not self.read_all and not self.sent:
            self.expects = False
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = b"" if self.read_all else await asyncio.wait_for(self.piece(), PATIENCE_SECONDS)
        except (OSError, EOFError, BadRequest, ValueError, asyncio.TimeoutError):
            self.keep, self.told_end, self.read_all = False, True, True
            return {"type": "http.disconnect"}
        self.told_end = self.read_all
        return {"type": "http.request", "body": body, "more_body": not self.read_all}

    async def gone(self):
        """Ends when the connection does. A next request may be waiting already: it stays where it is."""
        while not self.reader.at_eof() and not self.writer.is_closing():
            await asyncio.sleep(0.25)

    async def piece(self):
        if self.in_chunks and self.left == 0:
            size = (await self.reader.readuntil(b"\n")).split(b";")[0].strip()
            if not size or size.strip(b"0123456789abcdefABCDEF"):
                raise BadRequest
            self.left = int(size, 16)
            if self.left == 0:
                while (await self.reader.readuntil(b"\n")).strip():
                    pass
                self.read_all = True
                return b""
        body = await self.reader.read(min(self.left, 65536))
        if not body:
            raise EOFError
        self.left -= len(body)
        if self.left == 0:
            if self.in_chunks:
                if (await self.reader.readuntil(b"\n")).strip():
                    raise BadRequest
            else:
                self.read_all = True
        return body

    async def send(self, message):
        if self.done.is_set():
            return
        if message["type"] == "http.response.start":
            if self.status:
                raise RuntimeError("the answer was started twice")
            self.status = message["status"]
            self.out = [(bytes(name), bytes(value)) for name, value in message.get("headers", [])]
        elif message["type"] == "http.response.body":
            if not self.status:
                raise RuntimeError("the answer was not started")
            body, more = bytes(message.get("body", b"")), message.get("more_body", False)
            if not self.sent:
                self.head(None if more else len(body))
            if self.silent:
                body = b""
            if self.chunked:
                piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
                self.writer.write(piece + (b"" if more else b"0\r\n\r\n"))
            else:
                self.writer.write(body)
            await asyncio.wait_for(self.writer.drain(), PATIENCE_SECONDS)
            if not more:
                self.done.set()
        else:
            raise RuntimeError(f"a message of type {message['type']} is not understood here")

    def head(self, length):
        self.sent = True
        names = {name.lower() for name, _ in self.out}
        bodiless = self.status < 200 or self.status in (204, 304)
        self.silent = bodiless or self.method == "HEAD"
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {self.status} {phrase}".encode()]
        for name, value in self.out:
            if b"\n" in name + value or b"\r" in name + value:
                raise ValueError("a header field has a line break")
            if name.lower() not in (b"connection", b"transfer-encoding"):
                lines.append(name + b": " + value)
        if b"date" not in names:
            lines.append(b"date: " + formatdate(usegmt=True).encode())
        if b"content-length" not in names and not bodiless:
            if length is not None:
                lines.append(b"content-length: %d" % length)
            elif self.version == "1.1":
                self.chunked = not self.silent
                lines.append(b"transfer-encoding: chunked")
            else:
                self.keep = False
        if not self.read_all:
            self.keep = False
        lines.append(b"connection: " + (b"keep-alive" if self.keep else b"close"))
        self.writer.write(b"\r\n".join(lines) + b"\r\n\r\n")

    async def plain(self, status, text):
        """An answer of our own."""
        self.keep, self.status, self.out = False, status, [(b"content-type", b"text/plain; charset=utf-8")]
        await self.send({"type": "http.response.body", "body": text.encode()})


class Server:
    def __init__(self, application):
        self.application, self.state, self.stopping = application, {}, asyncio.Event()
        self.connections, self.idle = set(), set()

    async def connection(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            while not self.stopping.is_set() and await self.request(reader, writer, task):
                pass
        except (OSError, EOFError, BadRequest, ValueError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            self.connections.discard(task)
            writer.close()

    async def request(self, reader, writer, task):
        """Answers one; whether another may follow."""
        self.idle.add(task)
        try:
            text = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_SECONDS)
        except asyncio.CancelledError:
            return False  # The end, and nothing was asked.
        finally:
            self.idle.discard(task)
        try:
            request = Request(reader, writer, text[:-4].lstrip(b"\r\n").split(b"\r\n"), self.state)
        except BadRequest:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            return False
        if self.stopping.is_set():
            request.keep = False
        if request.values.get(b"upgrade", b"").lower() == b"websocket":
            print("a WebSocket was asked for; that needs uvicorn in ~/www/python/venv", file=sys.stderr, flush=True)
            await request.plain(501, "WebSockets are not served here: the tool needs uvicorn in its venv.\n")
            return False
        try:
            await self.application(request.scope(), request.receive, request.send)
        except (OSError, asyncio.TimeoutError):
            return False
        except Exception:
            traceback.print_exc()
            if not request.sent:
                await request.plain(500, "Internal Server Error\n")
            return False
        if not request.done.is_set():
            print("the application gave no complete answer", file=sys.stderr, flush=True)
            if not request.sent:
                await request.plain(500, "Internal Server Error\n")
            return False
        return request.keep and request.read_all

    async def run(self, port):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        lifespan = Lifespan(self.application, self.state)
        await lifespan.startup()
        listener = await asyncio.start_server(self.connection, "0.0.0.0", port, limit=HEAD_BYTES)
        await self.stopping.wait()
        listener.close()
        for task in self.idle:
            task.cancel()
        if self.connections:
            await asyncio.wait(self.connections, timeout=DRAIN_SECONDS)
        await lifespan.shutdown()


class Lifespan:
    """Tells the application of its start and its end, where it wants to know."""

    def __init__(self, application, state):
        self.application, self.state = application, state
        self.inbox, self.outbox, self.task = asyncio.Queue(), asyncio.Queue(), None

    async def startup(self):
        await self.inbox.put({"type": "lifespan.startup"})
        self.task = asyncio.ensure_future(self.run())
        answer = await self.outbox.get()
        if answer and answer["type"].endswith(".failed"):
            sys.exit("the application refused to start: " + answer.get("message", ""))

    async def run(self):
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.application(scope, self.inbox.get, self.outbox.put)
        except Exception:
            pass  # That is how an application says that it does not know of this.
        finally:
            self.task = None
            await self.outbox.put(None)

    async def shutdown(self):
        if self.task:
            await self.inbox.put({"type": "lifespan.shutdown"})
            await asyncio.wait_for(self.outbox.get(), DRAIN_SECONDS)


def serve(application, port):
    asyncio.run(Server(application).run(port))
