"""A source for a step that reads but a part of it, such as one chunk."""

from __future__ import annotations

import asyncio
from pathlib import Path

from activities.place import Place
from longtake.contracts.steps.common import Source
from longtake.errors import InputNotFound
from longtake.paths import shown
from media.children.on_demand import lend
from media.children.sandbox import holds_reads
from storage.remote import changed


async def borrow(here: Place, source: Source) -> Path:
    """The source as a file for FFmpeg (`run_ffmpeg`), and for nobody else: where the host does
    not have it, what FFmpeg reads of it is fetched as it reads.

    There until the calling task ends. Raises InputCorrupt if the source changed.
    """
    storage = here.storage(source.uri)
    if not await asyncio.to_thread(holds_reads):
        return await storage.localize(source)
    borrowed = await storage.borrow(source)
    if isinstance(borrowed, Path):
        return borrowed
    lend(borrowed)
    return borrowed.path


async def check_unchanged(here: Place, source: Source) -> None:
    """Raises InputCorrupt if the source is no longer the one that was pinned."""
    try:
        same = await here.storage(source.uri).is_unchanged(source.uri, source.version)
    except InputNotFound as error:
        raise InputNotFound(f"{shown(source.uri)} was removed while the job ran") from error
    if not same:
        raise changed(shown(source.uri))
