"""Look into a file from a process that must not touch it: in a child, which is shut in."""

from __future__ import annotations

from pathlib import Path

from longtake.contracts.media import MediaFacts
from media.children.isolate import in_child
from media.children.process import NICENESS
from media.probing.index import Index


async def inspect_in_child(
    path: Path, *, salvage: bool = False, niceness: int = NICENESS
) -> tuple[MediaFacts, Index | None]:
    """`inspect` in a child of its own. Raises what `in_child` and `inspect` raise."""
    return await in_child(_inspect, str(path), salvage, niceness=niceness)


def _inspect(path: str, salvage: bool) -> tuple[MediaFacts, Index | None]:
    # Imported in the child only: PyAV is large, and a crash in it must not end a worker.
    from media.probing.inspect import inspect

    return inspect(path, salvage=salvage)
