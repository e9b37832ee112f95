"""Serves a package and the player's page, to this machine alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from longtake.content_type import content_type
from longtake.errors import LongtakeError
from longtake.player.files import Files
from longtake.player.ranges import Unsatisfiable, asked_range

PACKAGE = "/package/"
LISTING = "package.json"
LOOPBACK = "127.0.0.1"
_HERE = Path(__file__).parent
_PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/hls.js": ("hls.min.js", "text/javascript; charset=utf-8"),
}
# Nothing that the page or a playlist names is asked of another host. hls.js works in a worker,
# feeds the element by a blob, and names an empty caption file in a data: URI.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob: data:; worker-src blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",  # a package may be made anew while its page is open
}


class PlayerServer(ThreadingHTTPServer):
    """Serves the page, and the package behind it. Port 0 takes a free one."""

    daemon_threads = True
    block_on_close = False  # a browser keeps its connections

    def __init__(self, files: Files, title: str, port: int, key: bytes | None = None) -> None:
        """`key`: of an encrypted package; the page gets it. Raises OSError if the port is taken."""
        self.files, self.title, self.key = files, title, key
        super().__init__((LOOPBACK, port), _Handler)
        ports = (f":{self.server_port}", *([""] if self.server_port == 80 else []))
        # Another name in `Host` is that of a page that had its name point here: DNS rebinding.
        self.hosts = {f"{name}{port}" for name in (LOOPBACK, "localhost") for port in ports}

    @property
    def address(self) -> str:
        """What to type into a browser."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PlayerServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "longtake", ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Nothing: the terminal belongs to the person."""

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _answer(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = unquote(urlsplit(self.path).path)
        try:
            if path in _PAGE:
                name, kind = _PAGE[path]
                self._send_whole((_HERE / name).read_bytes(), kind)
            elif path == "/about.json":
                self._send_whole(json.dumps(self._about()).encode(), content_type(path))
            elif path == "/key" and self.server.key is not None:
                self._send_whole(self.server.key, "application/octet-stream")
            elif path.startswith(PACKAGE):
                self._send_file(path.removeprefix(PACKAGE))
            else:
                self.send_error(HTTPStatus.NOT_FOUND)
        except LongtakeError as error:  # of a bucket
            self.send_error(HTTPStatus.BAD_GATEWAY, type(error).__name__, error.message)

    def _about(self) -> dict[str, str | bool | None]:
        """What the page cannot read in the playlists."""
        found = {
            role: name if self.server.files.find(name) else None
            for role, name in (("poster", "poster.jpg"), ("storyboard", "storyboard.vtt"))
        }
        return {
            "title": self.server.title,
            **found,
            "listing": LISTING if self.server.files.find(LISTING) else None,
            "key": self.server.key is not None,
        }

    def _send_file(self, name: str) -> None:
        file = self.server.files.find(name)
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            part = asked_range(self._range(), file.size)
        except Unsatisfiable:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{file.size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, length = part or (0, file.size)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK)
        if part:
            self.send_header("Content-Range", f"bytes {first}-{first + length - 1}/{file.size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", content_type(name))
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "GET" and length:
            self._send_body(file.read(first, length), length)

    def _range(self) -> str | None:
        """For GET alone. Files have no validator here, so a condition on one does not hold."""
        whole = self.command != "GET" or "If-Range" in self.headers
        return None if whole else self.headers.get("Range")

    def _send_body(self, blocks: Iterator[bytes], length: int) -> None:
        try:
            for block in blocks:
                self.wfile.write(block[:length])
                length -= len(block[:length])
        except (OSError, LongtakeError):
            pass  # nobody listens any more, or the file went away
        if length:
            self.close_connection = True  # the only way to say that the rest does not come

    def _send_whole(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
