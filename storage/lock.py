"""A lock that holds between processes, and between hosts that share the folder it lies in."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from longtake.errors import ResourceExhausted
from storage.local import storage_errors

LOCK_WAIT_S = 10.0


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file. Raises ResourceExhausted while its holder stands still."""
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        _wait_for(lock)
        yield


def _wait_for(lock: IO[str]) -> None:
    """Not for ever: the holder may be a process that stands still."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ResourceExhausted(
                    "another process is publishing this output and does not move; this attempt "
                    "gives way, and the next one looks again"
                ) from None
            time.sleep(0.05)
