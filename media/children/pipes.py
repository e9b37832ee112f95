"""Listening to the pipes of a child, and ceasing to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import IO, Any

_PIECE = 1024


@contextlib.asynccontextmanager
async def reading(
    pipe: IO[bytes] | None, most_bytes: int = 1 << 16
) -> AsyncIterator[asyncio.StreamReader]:
    """What comes out of a pipe, in lines of at most so many bytes.

    The event loop forgets the pipe before it may be closed: its number belongs to another pipe
    soon, whose bytes would be read for this one.
    """
    reader = asyncio.StreamReader(limit=most_bytes)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        yield reader
    finally:
        transport.close()


async def said(pipe: IO[bytes] | None) -> AsyncIterator[tuple[bytes, list[bytes]]]:
    """What comes out of a pipe, piece by piece, each with the lines that end in it. Of a long line
    the beginning alone is kept."""
    begun = b""
    async with reading(pipe) as reader:
        while piece := await reader.read(_PIECE):
            *lines, begun = (begun + piece).split(b"\n")
            begun = begun[:_PIECE]
            yield piece, lines


async def done_with(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks that nobody asks any more, and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
