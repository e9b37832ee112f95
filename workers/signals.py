"""SIGTERM and SIGINT: the first asks to stop in good order, the second at once. And waiting."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

log = structlog.get_logger("longtake.signals")
T = TypeVar("T")


def stop_on_signal(at_once: Callable[[], object]) -> asyncio.Event:
    """An event that the first signal sets; the second calls `at_once`.

    SIGHUP counts, too: it comes when the terminal of `longtake up` is closed.
    """
    stop = asyncio.Event()

    def received(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("a second signal: stopping at once", signal=number.name)
            at_once()
            return
        log.info("stopping", signal=number.name)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, received, number)
    return stop


async def unless(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """The result of `work`, or None if `stop` is set before it is there."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        stopping.cancel()
        working.cancel()


async def until(condition: Callable[[], bool], every_s: float) -> None:
    """Wait for what nobody announces."""
    while True:
        if condition():
            return
        await asyncio.sleep(every_s)
