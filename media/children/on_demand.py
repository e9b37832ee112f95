"""Files whose bytes come when a child reads them.

A child that reads such a file is held by the kernel at each read (seccomp_unotify(2)) until the
bytes are there, or the read fails: a hole never reads as zeros. The child sees a plain file and
knows nothing of it, so what it makes is what it would make of the whole file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from longtake.errors import LongtakeError, ResourceExhausted

# linux/seccomp.h: struct seccomp_notif (id, pid, flags, number, architecture, instruction, six
# arguments), struct seccomp_notif_resp (id, value, error, flags), and the calls that move them.
_QUESTION = struct.Struct("<QIIiIQ6Q")
_ANSWER = struct.Struct("<QqiI")
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_GO_ON = 1
_READ, _PREAD, _MAP = "read", "pread", "mmap"
_NUMBERS = {
    "x86_64": {0: _READ, 17: _PREAD, 9: _MAP},
    "aarch64": {63: _READ, 67: _PREAD, 222: _MAP},
}
_LOOK_MS = 500


class OnDemand(Protocol):
    """A file of which not all is there yet."""

    @property
    def path(self) -> Path:
        """The file, of its full size."""

    def provide(self, start: int, end: int) -> None:
        """Return when these bytes are in the file. Raises LongtakeError.

        Called from threads, also side by side.
        """


_lent: dict[Path, OnDemand] = {}


def lend(file: OnDemand) -> None:
    """From now on, children of this process may read the file: `run_ffmpeg` answers them."""
    _lent[file.path] = file


def asked_by(command: Sequence[str]) -> OnDemand | None:
    """The lent file that a command reads."""
    paths = (Path(word.removeprefix("file:")) for word in command if word.startswith("file:"))
    return next((_lent[path] for path in paths if path in _lent), None)


class Reads:
    """Answers a child's reads, from a thread of its own."""

    def __init__(self, file: OnDemand) -> None:
        self.error: LongtakeError | None = None
        """Why bytes could not be had; the read failed, and the child with it."""
        self.waiting = False
        """The child stands still because it waits for us."""
        self._file = file
        self._ours, self.hand = socket.socketpair()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="reads", daemon=True)

    def begin(self) -> None:
        """Called when the child is started, and has inherited `hand`."""
        self.hand.close()
        self._thread.start()

    def close(self) -> None:
        """Called when the child has ended: then the kernel tells the thread, and `error` is
        final. One that still fetches ends by itself."""
        self._over.set()
        if not self.waiting:
            self._thread.join(_LOOK_MS / 1000)

    def _serve(self) -> None:
        try:
            with self._ours:
                # None comes if the child ended before, or could not hand its reads over.
                _, descriptors, _, _ = socket.recv_fds(self._ours, 1, 1)
            if not descriptors:
                raise ProcessLookupError("the child ended before it was heard of")
            for listener in descriptors:
                try:
                    self._answer_all(listener)
                finally:
                    os.close(listener)  # from here on the kernel itself fails every read
        except OSError as error:
            self.error = _unanswered(self._file, error)

    def _answer_all(self, listener: int) -> None:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        numbers = _NUMBERS[os.uname().machine]
        while not self._over.is_set():
            events = poll.poll(_LOOK_MS)
            if events and events[0][1] & (select.POLLHUP | select.POLLERR):
                return
            if not events:
                continue
            question = bytearray(_QUESTION.size)
            with contextlib.suppress(FileNotFoundError):  # whoever asked is gone
                fcntl.ioctl(listener, _RECEIVE, question)
                identity, thread, _, number, _, _, *arguments = _QUESTION.unpack(question)
                problem = self._consider(thread, numbers[number], arguments)
                flags = 0 if problem else _GO_ON
                fcntl.ioctl(listener, _SEND, _ANSWER.pack(identity, 0, -problem, flags))

    def _consider(self, thread: int, call: str, arguments: list[int]) -> int:
        """Make a read possible; the error number of one that is not, or 0."""
        descriptor = arguments[4 if call == _MAP else 0] & 0xFFFFFFFF
        try:
            found = os.stat(f"/proc/{thread}/fd/{descriptor}")  # noqa: PTH116 - not as a Path
            if not os.path.samestat(found, self._file.path.stat()):
                return 0
            if call == _MAP:
                return errno.EACCES
            start = arguments[3] if call == _PREAD else _position(thread, descriptor)
        except FileNotFoundError:
            return 0  # no such descriptor: the read itself says so
        self._provide(start, min(start + arguments[2], found.st_size))
        return errno.EIO if self.error else 0

    def _provide(self, start: int, end: int) -> None:
        if self.error is not None or start >= end:
            return
        self.waiting = True
        try:
            self._file.provide(start, end)
        except LongtakeError as error:
            self.error = error
        except OSError as error:
            self.error = _unanswered(self._file, error)
        finally:
            self.waiting = False


def _position(thread: int, descriptor: int) -> int:
    """Where a descriptor of a process that is held will read next."""
    for line in Path(f"/proc/{thread}/fdinfo/{descriptor}").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "pos":
            return int(value)
    raise FileNotFoundError(descriptor)


def _unanswered(file: OnDemand, error: OSError) -> ResourceExhausted:
    return ResourceExhausted(f"what was to be read of {file.path} could not be had: {error}")


def supported() -> bool:
    """Whether this system is of a kind on which it can work; `sandbox.holds_reads` tries it."""
    return sys.platform == "linux" and os.uname().machine in _NUMBERS
