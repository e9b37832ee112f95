"""Blocking transfers beside the event loop, that end soon after nobody waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from longtake.errors import LongtakeError, StorageUnavailable

T = TypeVar("T")

# Of their own: downloads that last for hours must not keep the loop's few threads from others.
_TRANSFERS = ThreadPoolExecutor(64, thread_name_prefix="transfer")

PATIENCE_S = 2.0
"""So long a cancelled transfer is waited for; it ends by itself at its next piece."""


async def transfer(
    work: Callable[[threading.Event], T], after: Callable[[], object] = lambda: None
) -> T:
    """Run `work(stop)` in a thread; a cancel sets `stop`. `after` runs when the thread ends,
    however late that is: it gives back what the work needs."""
    stop = threading.Event()

    def run() -> T:
        with contextlib.ExitStack() as stack:
            stack.callback(after)
            return work(stop)

    thread = asyncio.get_running_loop().run_in_executor(_TRANSFERS, run)
    thread.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({thread}, timeout=PATIENCE_S)
        raise


async def to_its_end(work: Callable[[threading.Event], T]) -> T:
    """Run `work(stop)` in a thread, and never leave it alone: a cancel sets `stop`, and then what
    comes of the work counts, if it ends well all the same."""
    stop = threading.Event()
    thread = asyncio.get_running_loop().run_in_executor(_TRANSFERS, work, stop)
    while not thread.done():
        try:
            await asyncio.wait({thread})
        except asyncio.CancelledError:
            stop.set()
    if stop.is_set() and (error := thread.exception()):
        raise asyncio.CancelledError from error
    return thread.result()


def persist(
    work: Callable[[], T],
    patience_s: float,
    stop: threading.Event | None = None,
    on: tuple[type[LongtakeError], ...] = (StorageUnavailable,),
) -> T:
    """`work()`, again and again while its storage is not available, for so long.

    Between two tries at most ten seconds pass. Raises the last of the errors that are waited for,
    and every other at once.
    """
    stop = stop or threading.Event()
    deadline, pause = time.monotonic() + patience_s, 0.2
    while True:
        try:
            return work()
        except on:
            if time.monotonic() + pause > deadline or stop.wait(pause):
                raise
        pause = min(10.0, pause * 2)


def check(stop: threading.Event) -> None:
    """Raises if nobody waits for this transfer any more."""
    if stop.is_set():
        raise StorageUnavailable("the transfer was stopped; what is done is kept")
