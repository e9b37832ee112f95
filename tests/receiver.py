"""A real receiver of webhooks, as well or as badly behaved as a test asks."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from longtake import webhooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAbCd0123"


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        return webhooks.verify(self.body, self.headers, SECRET)

    @property
    def type(self) -> str:
        return str(json.loads(self.body)["type"])


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Receiver:
    """What came, and what is answered: `answers` one after the other, then always `then`."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    """Those that were answered with 2xx."""
    answers: list[Answer] = field(default_factory=list)
    then: Answer | None = None
    let_go: threading.Event = field(default_factory=threading.Event)
    """Ends what hangs."""
    holding: int = 0
    """So many wait for an answer now."""

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://").partition("/")[0]

    def types(self) -> list[str]:
        """Of what was taken, in order."""
        return [got.type for got in self.taken]


def status(code: int, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()

    return answer


def drop(request: BaseHTTPRequestHandler) -> None:
    """Take the message, and lose the answer: it will come again."""
    request.connection.shutdown(socket.SHUT_RDWR)


def hang(request: BaseHTTPRequestHandler) -> None:
    """No answer."""
    receiver = request.server.receiver  # type: ignore[attr-defined]
    receiver.holding += 1
    while not receiver.let_go.wait(0.1) and not _left(request.connection):
        pass
    receiver.holding -= 1


def _left(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and not connection.recv(1, socket.MSG_PEEK)


def drip(request: BaseHTTPRequestHandler) -> None:
    """An answer that never ends, a byte now and then."""
    receiver = request.server.receiver  # type: ignore[attr-defined]
    with contextlib.suppress(OSError):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not receiver.let_go.wait(0.1):
            request.wfile.write(b"a")
            request.wfile.flush()


def flood(request: BaseHTTPRequestHandler) -> None:
    """200, and more than anybody wants to read."""
    request.send_response(200)
    request.end_headers()
    with contextlib.suppress(OSError):
        while not request.server.receiver.let_go.is_set():  # type: ignore[attr-defined]
            request.wfile.write(b"x" * 65536)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # connections that the test broke


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got = Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body, time.time())
        receiver.got.append(got)
        answer = receiver.answers.pop(0) if receiver.answers else receiver.then
        if answer is None:
            receiver.taken.append(got)
            status(204)(self)
        else:
            answer(self)
        self.close_connection = True

    do_GET = do_POST  # noqa: N815 a redirect that is followed may come so

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver that is gone at the end."""
    with _Server(("127.0.0.1", port), _Handler) as server:
        receiver = Receiver(url=f"http://127.0.0.1:{server.server_port}/hooks?token=in-the-query")
        server.receiver = receiver
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.let_go.set()
            server.shutdown()
            thread.join()
