"""Tasks of a workflow that run at once: all of them end well, or all are ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable
from typing import TypeVar

Result = TypeVar("Result")


async def side_by_side(steps: Iterable[Awaitable[Result]]) -> list[Result]:
    """All of them at once; the first failure, or a cancel, ends the others."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        return await asyncio.gather(*tasks)
    except (Exception, asyncio.CancelledError):
        await end(tasks)
        raise


async def end(tasks: Collection[asyncio.Future[Result]]) -> None:
    """Cancel them, and wait until they are over."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def is_canceled() -> bool:
    """Was the task that runs now told to stop, even if what it awaited ended well?"""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
