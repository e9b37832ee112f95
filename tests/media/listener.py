"""A server on loopback that notes who calls: the proof that nobody does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Listener:
    """Accepts connections, notes the first bytes of each, and answers nothing of use."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.calls: list[bytes] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def _accept(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError, ConnectionError):
                try:
                    caller, _ = self._socket.accept()
                except OSError:  # closed
                    return
                with caller:
                    self.calls.append(b"")
                    caller.settimeout(2)
                    self.calls[-1] = caller.recv(200)
                    caller.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def settled(self) -> list[bytes]:
        """The calls so far, our own last one left out: what came before it has been seen."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as ours:
            ours.sendall(b"the last call")
            ours.recv(1)
        return [call for call in self.calls if call != b"the last call"]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(timeout=10)


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """A listener for the length of a test."""
    listener = Listener()
    try:
        yield listener
    finally:
        listener.close()
