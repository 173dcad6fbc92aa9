"""A small tool: tells the time. `webservice python start` serves the callable `app` (PEP 3333)."""

from datetime import datetime, timezone
from html import escape


def app(environ, start_response):
    now = datetime.now(timezone.utc).strftime("%H:%M:%S UTC on %A, %d %B %Y")
    page = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Clock</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.5rem/1.5 system-ui, sans-serif; display: grid; min-height: 95vh; place-items: center; }}
</style>
<p>It is <time>{escape(now)}</time>.</p>
"""
    body = page.encode()
    start_response(
        "200 OK",
        [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))],
    )
    return [body]
