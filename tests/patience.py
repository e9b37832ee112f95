"""How long a test waits for what must happen: the end of its patience, no claim about speed.

The tests share a machine with each other, and it may be a slow one. How fast a thing is, is
measured in `bench/`, side by side with its rival.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

# For what comes sooner or later, or hangs.
WAIT_S = 400.0
# Times what an idle machine needs, where the length means something: that a thing was stopped, and
# did not end by itself.
SLACK = 4.0


async def until(claim: Callable[[], Any]) -> Any:
    """Wait until it holds, and return what it said; a claim may have to ask somebody."""
    async with asyncio.timeout(WAIT_S):
        while not (said := await _said(claim)):  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0.05)
    return said


async def _said(claim: Callable[[], Any]) -> Any:
    said = claim()
    return await said if inspect.isawaitable(said) else said


async def becomes(look: Callable[[], Awaitable[Value]], wanted: Value) -> None:
    """Look until it is as wanted: Temporal's lists come a moment behind what they tell of."""
    deadline = time.monotonic() + WAIT_S
    while (found := await look()) != wanted and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert found == wanted
