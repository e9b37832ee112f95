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


async def ended(task: asyncio.Future[Result]) -> Result:
    """What a task ends with. A cancel of the one that waits is one of the task, too, unless that
    ends at the same moment: Temporal would tell the cancel alone."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.sleep(0)  # the end may stand behind the cancel
        if not task.done():
            task.cancel()
        return await task


async def undisturbed(task: asyncio.Future[Result]) -> Result:
    """What a task ends with, which a cancel of the one that waits does not reach."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        return await task


def is_canceled() -> bool:
    """Was the task that runs now told to stop, even if what it awaited ended well?"""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
