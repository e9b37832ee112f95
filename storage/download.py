"""Parallel ranged download into a file, resumable after a crash, hashed on the way.

Beside the file in the making lies a note of the ranges that are whole. It holds for one boot:
what a killed process wrote is still in the system's memory, what a dead machine wrote may not be.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import psutil

from longtake.errors import InputUnsupported, LongtakeError, StorageUnavailable
from storage.remote import AnsweredOtherwise, Remote, changed
from storage.threads import check

RANGE_BYTES = 8 << 20
PARALLEL = 8
"""Enough to fill a usual line at the round trips of a distant bucket."""
TRIES = 6
"""Of one range without a byte of progress, before the step fails and is tried again later."""
FIRST_PAUSE_S = 0.1
_PIECE = 1 << 20
GROWTH_BYTES = 64 << 20
"""So much more room is asked for whenever a file of unknown size has grown into what it had."""

Room = Callable[[int], None]
"""Makes room for a file of so many bytes, or raises ResourceExhausted."""


class Known(Protocol):
    """Bytes of the same object that are on this host already."""

    path: Path

    def spans(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """The bytes from `start` up to `end`, cut into what is here and what is not."""


def download(
    remote: Remote, part: Path, stop: threading.Event, room: Room, known: Known | None = None
) -> str:
    """Bring the object's bytes into `part`, flushed, and return their SHA-256. What of them is
    `known`, because it was fetched in portions, is copied. There is room for the size that is
    known; `room` is asked for more.

    Raises StorageUnavailable (finished ranges are kept), and what else `fetch_range` raises.
    """
    if remote.size is None or not remote.ranged:
        try:
            return _in_one_piece(remote, part, stop, room)
        except BaseException:
            part.unlink(missing_ok=True)  # it begins anew each time: nothing of it is of use
            raise
    with contextlib.ExitStack() as stack:
        file = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, file)
        done = _read_note(note_of(part), remote.size)
        os.ftruncate(file, remote.size)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
        note = os.open(note_of(part), flags, 0o600)
        stack.callback(os.close, note)
        os.write(note, _heading(remote.size) + b"".join(b"%d\n" % number for number in done))
        sha256 = _Ranges(remote, remote.size, file, note, stop, known).fetch(done)
    note_of(part).unlink()
    return sha256


def note_of(part: Path) -> Path:
    """Where the finished ranges of a file in the making are noted."""
    return part.with_suffix(".ranges")


class _Ranges:
    """The download of one object into an open file."""

    def __init__(
        self,
        remote: Remote,
        size: int,
        file: int,
        note: int,
        stop: threading.Event,
        known: Known | None,
    ) -> None:
        self._remote, self._size, self._file, self._note = remote, size, file, note
        self._stop, self._known = stop, known
        self._failed = threading.Event()

    def fetch(self, done: set[int]) -> str:
        """Fetch what is missing, and hash behind it in order: the pages are still in memory."""
        sha256 = hashlib.sha256()
        count = -(-self._size // RANGE_BYTES)
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="range") as pool:
            missing = (number for number in range(count) if number not in done)
            coming = {number: pool.submit(self._fetch, number) for number in missing}
            try:
                for number in range(count):
                    if number in coming:
                        coming[number].result()
                    for piece in self._read_back(number):
                        check(self._stop)
                        sha256.update(piece)
            except BaseException:
                self._failed.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        os.fsync(self._file)
        return sha256.hexdigest()

    def _fetch(self, number: int) -> None:
        start, end = self._bounds(number)
        known = self._known
        for a, b, here in known.spans(start, end) if known else ((start, end, False),):
            if known and here:
                _copy(known.path, self._file, a, b)
            else:
                fetch_range(self._remote, a, b, self._file, self._stop, self._failed)
        os.write(self._note, b"%d\n" % number)

    def _read_back(self, number: int) -> Iterator[bytes]:
        start, end = self._bounds(number)
        for offset in range(start, end, _PIECE):
            yield os.pread(self._file, min(_PIECE, end - offset), offset)

    def _bounds(self, number: int) -> tuple[int, int]:
        return number * RANGE_BYTES, min(self._size, (number + 1) * RANGE_BYTES)


def _copy(path: Path, file: int, start: int, end: int) -> None:
    with path.open("rb") as known:
        for position in range(start, end, _PIECE):
            known.seek(position)
            _write(file, known.read(min(_PIECE, end - position)), position)


def fetch_range(remote: Remote, start: int, end: int, file: int, *stops: threading.Event) -> None:
    """Bring the bytes from `start` up to `end` to their place in an open file.

    Raises StorageUnavailable, InputCorrupt if the object changed, InputUnsupported if its server
    answers otherwise than it was asked, again and again.
    """
    position, tries = start, 0
    while position < end:
        before = position
        try:
            with remote.read(position, end) as pieces:
                for piece in pieces:
                    for stop in stops:
                        check(stop)
                    if position + len(piece) > end:
                        raise changed(remote.shown)  # more than was asked for: another object
                    position += _write(file, piece, position)
            problem = StorageUnavailable(f"{remote.shown}: the answer broke off")
        except StorageUnavailable as error:
            problem = error
        tries = 0 if position > before else tries + 1
        if tries == TRIES or any(stop.is_set() for stop in stops):
            raise _final(problem, tries)
        if position < end:
            stops[0].wait(FIRST_PAUSE_S * 2**tries)


def _final(problem: StorageUnavailable, tries: int) -> LongtakeError:
    """What to raise after so many tries without a byte of progress."""
    if tries < TRIES or not isinstance(problem, AnsweredOtherwise):
        return problem
    return InputUnsupported(
        f"{problem}, {tries} times: it keeps to none of what it says of the file. Fetch the file, "
        "and give it as a path"
    )


def _write(file: int, piece: bytes, position: int) -> int:
    view, written = memoryview(piece), 0
    while written < len(piece):
        written += os.pwrite(file, view[written:], position + written)
    return written


def _in_one_piece(remote: Remote, part: Path, stop: threading.Event, room: Room) -> str:
    """From a server that cannot begin in the middle, or does not say where the end is."""
    note_of(part).unlink(missing_ok=True)
    for tries in itertools.count(1):
        try:
            return _whole(remote, part, stop, room)
        except AnsweredOtherwise as problem:
            if tries == TRIES or stop.wait(FIRST_PAUSE_S * 2**tries):
                raise _final(problem, tries) from problem
    raise AssertionError


def _whole(remote: Remote, part: Path, stop: threading.Event, room: Room) -> str:
    sha256, position, reserved = hashlib.sha256(), 0, remote.size or 0
    with part.open("r+b") as file, remote.read(0, remote.size) as pieces:
        for piece in pieces:
            check(stop)
            position += len(piece)
            if remote.size is None and position > reserved:
                reserved = position + GROWTH_BYTES
                room(reserved)
            sha256.update(piece)
            file.write(piece)
        if remote.size is not None and position != remote.size:
            raise StorageUnavailable(f"{remote.shown}: the answer broke off after {position} bytes")
        file.truncate(position)
        file.flush()
        os.fsync(file.fileno())
    return sha256.hexdigest()


def _heading(size: int) -> bytes:
    return (json.dumps({"boot": boot(), "range": RANGE_BYTES, "size": size}) + "\n").encode()


def _read_note(note: Path, size: int) -> set[int]:
    """Ranges that are whole; none if the note is of another boot, or of ranges cut otherwise."""
    try:
        heading, *lines = note.read_bytes().splitlines(keepends=True)
    except (FileNotFoundError, ValueError):
        return set()
    if heading != _heading(size):
        return set()
    return {int(line) for line in lines if line.endswith(b"\n")}


def boot() -> str:
    """Names the time since this machine was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))  # macOS
