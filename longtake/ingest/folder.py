"""A folder that is watched: new files, once they are written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

from longtake.ingest.events import Arrived

LOOK_EVERY_S = 1.0
SETTLED_S = 5.0
"""A file that did not change for so long is taken as written."""

_UNDER_WAY = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart")
"""What copying programs call a file while they write it."""

Version = tuple[int, int, int]
"""Inode, size and time of change in ns."""


async def watch(folder: Path, settled_s: float = SETTLED_S) -> AsyncGenerator[Arrived, None]:
    """Files below `folder` that are there, and those that appear or change, when they are written.

    Polling, not inotify: it also sees network file systems, and what came while nobody watched.
    """
    told: dict[Path, Version] = {}
    seen: dict[Path, tuple[Version, float]] = {}
    while True:
        found = await asyncio.to_thread(_files, folder)
        now = time.monotonic()
        for path in seen.keys() - found.keys():
            del seen[path]
            told.pop(path, None)
        for path, version in sorted(found.items()):
            if told.get(path) == version:
                continue
            if seen.get(path, (None, 0.0))[0] != version:
                seen[path] = (version, now)
            elif now - seen[path][1] >= settled_s:
                told[path] = version
                _, size, changed_ns = version
                yield Arrived(str(path), size, datetime.fromtimestamp(changed_ns / 1e9, UTC))
        await asyncio.sleep(LOOK_EVERY_S)


def _files(folder: Path) -> dict[Path, Version]:
    found = {}
    for path in folder.rglob("*"):
        below = path.relative_to(folder)
        if any(part.startswith(".") for part in below.parts):
            continue
        if path.name.lower().endswith(_UNDER_WAY):
            continue
        try:
            stat = path.stat()
        except OSError:
            continue  # gone meanwhile
        if path.is_file() and stat.st_size:
            found[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found
