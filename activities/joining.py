"""Bring the finished chunks of a film together, wherever they lie, one behind the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from media.transcode.fragments import Joining
from storage.work import WorkStore

AHEAD = 6
"""Chunks that are fetched while one is written; where they lie on this host, that is nothing."""


async def join_parts(
    store: WorkStore, keys: Sequence[str], target: Path, later_s: Sequence[Fraction] = ()
) -> None:
    """Write one CMAF track of the chunks under these keys, each `later_s` than it says itself.

    A chunk is held only while it is written: a film may have more of them than a process may
    have open files. Raises ResourceExhausted if one is gone, InputCorrupt if they do not fit.
    """
    coming: list[asyncio.Task[Path]] = []
    moves = later_s or [Fraction()] * len(keys)
    with Joining(target, len(keys)) as track:
        try:
            for number, key in enumerate(keys):
                wanted = keys[len(coming) : number + AHEAD]
                coming += [asyncio.ensure_future(store.hold(ahead)) for ahead in wanted]
                await coming[number]  # it is on this host now
                # In a task of its own, at whose end it is free again.
                await asyncio.create_task(_add(store, key, track, moves[number]))
        finally:
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)


async def _add(store: WorkStore, key: str, track: Joining, later_s: Fraction) -> None:
    chunk = await store.hold(key)
    await asyncio.to_thread(track.add, chunk, later_s)
