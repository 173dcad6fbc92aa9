"""Serves `app` of app.py in the current folder (WSGI, PEP 3333), a thread for each request."""

import os
import signal
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def server_bind(self):
        # Not HTTPServer's, which looks up names, and may wait for a DNS that is not there.
        socketserver.TCPServer.server_bind(self)
        self.server_name = "localhost"
        self.server_port = self.server_address[1]
        self.setup_environ()


class Handler(WSGIRequestHandler):
    def get_environ(self):
        environ = super().get_environ()
        # The gateway speaks HTTPS with the visitor; links must say so too.
        if self.headers.get("X-Forwarded-Proto") == "https":
            environ["HTTPS"] = "on"
        if "Host" in self.headers:
            name, _, port = self.headers["Host"].partition(":")
            environ["SERVER_NAME"] = name
            environ["SERVER_PORT"] = port or ("443" if environ.get("HTTPS") else "80")
        return environ

    def log_request(self, code="-", size="-"):
        pass


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    sys.path.insert(0, os.getcwd())
    try:
        from app import app
    except ImportError as error:
        if getattr(error, "name", None) in ("app", None) and "app" in str(error):
            sys.exit(f"{os.getcwd()}/app.py has no callable `app`: {error}")
        raise
    with Server(("0.0.0.0", int(os.environ["PORT"])), Handler) as server:
        server.set_app(app)
        print(f"serving app.py on port {server.server_port}", flush=True)
        server.serve_forever()


main()
