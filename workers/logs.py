"""Logs that do not fill the disk of somebody whose service runs for months."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

LOG_BYTES = 5 << 20
CHECK_S = 60.0


def bound(log: Path, limit: int = LOG_BYTES) -> None:
    """Set what is beyond the limit aside; one old log is kept.

    Copied and emptied in place: several processes append to it and keep it open.
    """
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


async def keep_bounded(logs: Sequence[Path]) -> None:
    """Look after these logs, now and then, for ever."""
    while True:
        for log in logs:
            await asyncio.to_thread(_bound_if_possible, log)
        await asyncio.sleep(CHECK_S)


def _bound_if_possible(log: Path) -> None:
    try:
        bound(log)
    except OSError:  # a full disk: the old log stays
        pass
