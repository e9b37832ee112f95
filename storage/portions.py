"""Parts of a remote object, fetched when they are read, for a host that needs but some of it.

The bytes lie where they lie in the object, in a sparse file; beside it a file of one byte a
block says which are there. Whoever reads must ask for them first (`provide`): a hole has no
mark of its own, and reads as zeros.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from storage.download import fetch_range
from storage.remote import Remote

BLOCK_BYTES = 256 << 10
"""What FFmpeg reads of a file at once."""
AHEAD = 4
"""Blocks fetched at once where the one before is there already: so a reader seldom waits, and
what nobody reads is a megabyte a chunk at most."""
_THERE = 1


class Portions:
    """What is here of one version of an object. All methods may be called from several threads.

    Two processes that need the same block at the same time both fetch it, which costs a block.
    """

    def __init__(self, remote: Remote, size: int, path: Path) -> None:
        self._remote = remote
        self._size = size
        self.path = path
        """A file of the object's size."""
        self._coming: set[int] = set()
        self._moved = threading.Condition()

    def provide(self, start: int, end: int) -> None:
        """Return when the bytes from `start` up to `end` are in the file.

        Raises StorageUnavailable, InputCorrupt if the object is no longer of this version.
        """
        wanted = range(start // BLOCK_BYTES, -(-end // BLOCK_BYTES))
        while True:
            with self._moved:
                missing = [n for n in self._missing(wanted) if n not in self._coming]
                if not missing:
                    if not any(n in self._coming for n in wanted):
                        return
                    self._moved.wait()
                    continue
                missing += self._ahead(missing)
                self._coming.update(missing)
            try:
                self._fetch(missing)
            finally:
                with self._moved:
                    self._coming.difference_update(missing)
                    self._moved.notify_all()

    def bytes_here(self) -> int:
        """How much of the object was fetched."""
        return min(self._size, self._marks().count(_THERE) * BLOCK_BYTES)

    def spans(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """The bytes from `start` up to `end`, cut into what is here and what is not."""
        marks = self._marks()
        blocks = range(start // BLOCK_BYTES, -(-end // BLOCK_BYTES))
        for here, run in groupby(blocks, key=lambda n: marks[n] == _THERE):
            numbers = list(run)
            first, last = numbers[0] * BLOCK_BYTES, (numbers[-1] + 1) * BLOCK_BYTES
            yield max(start, first), min(end, last), here

    def _missing(self, numbers: range) -> list[int]:
        marks = self._marks()
        return [n for n in numbers if n < len(marks) and marks[n] != _THERE]

    def _ahead(self, missing: list[int]) -> list[int]:
        """Blocks behind these, where reading goes on in order."""
        marks = self._marks()
        if missing[0] == 0 or marks[missing[0] - 1] != _THERE:
            return []
        following = range(missing[-1] + 1, min(missing[0] + AHEAD, len(marks)))
        return [n for n in following if marks[n] != _THERE and n not in self._coming]

    def _fetch(self, numbers: list[int]) -> None:
        with contextlib.ExitStack() as stack:
            file = os.open(self.path, os.O_WRONLY)
            stack.callback(os.close, file)
            marks = os.open(marks_of(self.path), os.O_WRONLY)
            stack.callback(os.close, marks)
            for run in _runs(numbers):
                end = min(self._size, run.stop * BLOCK_BYTES)
                fetch_range(self._remote, run.start * BLOCK_BYTES, end, file, threading.Event())
                os.pwrite(marks, bytes([_THERE]) * len(run), run.start)

    def _marks(self) -> bytes:
        return marks_of(self.path).read_bytes()


def make_sparse(path: Path, size: int) -> None:
    """An object of which nothing is here yet. The marks first: the file says that both are."""
    for file, length in ((marks_of(path), -(-size // BLOCK_BYTES)), (path, size)):
        with file.open("wb") as empty:
            empty.truncate(length)


def marks_of(path: Path) -> Path:
    """Where it says which blocks are there."""
    return path.with_suffix(".blocks")


def _runs(numbers: list[int]) -> Iterator[range]:
    """Neighbours together: one request each."""
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        yield range(found[0], found[-1] + 1)
