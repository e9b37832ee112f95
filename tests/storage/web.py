"""A plain web server, and what is read from it."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import time
from collections.abc import Callable
from pathlib import Path

from storage.http import HttpStorage


class Web(http.server.ThreadingHTTPServer):
    """A plain web server: no ranges, redirects where it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.data, self.says_size, self.etag = b"film" * 1000, True, '"one"'
        self.redirects: dict[str, str] = {}
        self.says_span: str | None = None
        self.gives_part: Callable[[int], bool] = lambda _: False
        """Whether the answer of this number is a part, whatever was asked for."""
        self.status = 200
        self.gets = 0
        self.pause_s = 0.0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Page(http.server.BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self.server.gets += 1
        if target := self.server.redirects.get(self.path.partition("?")[0]):
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        span, data = self.server.says_span, self.server.data
        if self.server.gives_part(self.server.gets):
            asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=")
            first, last = (int(number or len(data) - 1) for number in asked.split("-"))
            span, data = f"bytes {first}-{last}/{len(data)}", data[first : last + 1]
        self.send_response(206 if span else self.server.status)
        if span:
            self.send_header("Content-Range", span)
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        if self.server.says_size:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            if not self.server.pause_s:
                self.wfile.write(data)
                return
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(self.server.pause_s)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def read(storage: HttpStorage, url: str) -> bytes:
    source = await storage.fingerprint(url)
    data = (await storage.localize(source)).read_bytes()
    assert source.sha256 == hashlib.sha256(data).hexdigest()
    return data
