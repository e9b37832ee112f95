"""A proxy before an HTTP server that does what networks and busy servers do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime, formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

Fault = (
    Literal["503", "reset", "truncate", "swallow", "slow", "501", "409", "405", "404", "403"]
    | Literal["unconditional", "bare etags", "no if-match", "capitals", "404 upload"]
)
"""`swallow`: the request is done, its answer is lost. `truncate`: half the body comes.
`unconditional`: the request is done, whatever its condition says. As Ceph: `bare etags` refuses
an `If-Match` with quotes, `no if-match` each. As rclone: `capitals` in the names of metadata."""
_NAMES = {
    "503": "SlowDown",
    "501": "NotImplemented",
    "412": "PreconditionFailed",
    "409": "ConditionalRequestConflict",
    "405": "MethodNotAllowed",
    "404": "NoSuchKey",
    "404 upload": "NoSuchUpload",
    "403": "AccessDenied",
}


@dataclass(frozen=True)
class Asked:
    """A request that came through."""

    method: str
    target: str
    span: str
    condition: str
    fault: Fault | None
    gave: int = 0


class FaultyProxy(ThreadingHTTPServer):
    """Ask `faults` of every request; note every request in `asked`."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.faults: Callable[[str, str], Fault | None] = lambda method, target: None
        self.asked: list[Asked] = []
        self.files: dict[str, Path] = {}
        """Objects that are given from here, by target: too large for the server behind."""
        self.lock = threading.Lock()
        self.writing = threading.Lock()
        """Moto looks and writes in two steps; a condition must hold in between."""
        self.ahead: Callable[[str, str], timedelta] = lambda method, target: timedelta()
        """How far the server's clock is ahead in the answer to a request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, method: str, word: str = "") -> list[Asked]:
        """The requests of a method whose target has a word in it."""
        return [each for each in self.asked if each.method == method and word in each.target]

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(65537)
        if self.raw_requestline and self.parse_request():
            self._forward()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.lock:
            fault = self.server.faults(self.command, self.path)
        asked = Asked(
            self.command,
            self.path,
            self.headers.get("Range", ""),
            self.headers.get("If-None-Match") or self.headers.get("If-Match") or "",
            fault,
        )
        if fault in _NAMES:
            self._note(asked)
            self._refuse(fault)
        elif self._fails(fault):
            self._note(asked)
            self._refuse("412")
        elif fault == "reset":
            self._note(asked)
            self._reset()
        elif self.path in self.server.files:
            self._give(asked, self.server.files[self.path])
        else:
            self._answer(asked, body, fault)

    def _fails(self, fault: Fault | None) -> bool:
        etag = self.headers.get("If-Match") or ""
        return bool(etag) and (
            fault == "no if-match" or (fault == "bare etags" and etag.startswith('"'))
        )

    def _answer(self, asked: Asked, body: bytes, fault: Fault | None) -> None:
        conditions = ("if-none-match", "if-match") if fault == "unconditional" else ()
        headers = {k: v for k, v in self.headers.items() if k.lower() not in conditions}
        alone = self.server.writing if asked.condition else contextlib.nullcontext()
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=30)
        with contextlib.closing(upstream), alone:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            data = answer.read()
        if fault == "swallow":
            self._note(asked)
            self._reset()
            return
        whole = len(data)
        if fault == "truncate":
            data = data[: whole // 2]
        self._note(asked, len(data))  # before the answer: who has it may look here at once
        self.send_response_only(answer.status)
        for name, told in answer.getheaders():
            value = self._later(told) if name.lower() == "date" else told
            name = name.title() if fault == "capitals" else name
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(whole)
        self.send_header("Content-Length", length or "0")
        self.send_header("Connection", "close")
        self.end_headers()
        if fault == "slow":
            for start in range(0, len(data), 1 << 20):
                self.wfile.write(data[start : start + (1 << 20)])
                time.sleep(0.1)
        else:
            self.wfile.write(data)
        self.wfile.flush()

    def _later(self, date: str) -> str:
        now = parsedate_to_datetime(date) + self.server.ahead(self.command, self.path)
        return format_datetime(now, usegmt=True)

    def _give(self, asked: Asked, path: Path) -> None:
        size = path.stat().st_size
        first, _, last = asked.span.removeprefix("bytes=").partition("-")
        start, end = int(first or 0), int(last or size - 1) + 1
        self.send_response_only(206 if asked.span else 200)
        if self.command == "HEAD":
            self._note(asked)
        for name, value in (
            ("Content-Length", str(end - start)),
            ("Content-Range", f"bytes {start}-{end - 1}/{size}"),
            ("ETag", f'"{size:x}"'),
            ("Last-Modified", formatdate(path.stat().st_mtime, usegmt=True)),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with path.open("rb") as data:
            data.seek(start)
            try:
                self.connection.sendfile(data, start, end - start)
            finally:  # of a reader that was killed, what went its way
                self._note(asked, data.tell() - start)

    def _note(self, asked: Asked, gave: int = 0) -> None:
        with self.server.lock:
            self.server.asked.append(
                Asked(asked.method, asked.target, asked.span, asked.condition, asked.fault, gave)
            )

    def _refuse(self, told: str) -> None:
        data = f"<Error><Code>{_NAMES[told]}</Code><Message>told to</Message></Error>".encode()
        self.send_response_only(int(told.split()[0]))
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()  # now nobody holds it: the kernel sends RST


@contextlib.contextmanager
def faulty_proxy(upstream: str) -> Iterator[FaultyProxy]:
    """A proxy on loopback before `upstream`, a `host:port`."""
    with FaultyProxy(upstream) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
