"""Files that filters read: written by us, under names of ours, and gone after the encode.

No path that a user wrote stands in a filter's description, where it would be a small language.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from longtake.contracts.base import Contract
from media.colour import ToneMap, tone_table


class FilterFiles(Contract):
    """What the filters of a picture read; it stands in the plan."""

    tone: ToneMap | None = None
    captions: str | None = None
    """An ASS document of ours."""


@contextmanager
def written(files: FilterFiles) -> Iterator[dict[str, str]]:
    """Write the files; gives what to put for `{tone}` and `{captions}`."""
    with tempfile.TemporaryDirectory(prefix="longtake-") as folder:
        names: dict[str, str] = {}
        if files.tone is not None:
            table = Path(folder) / "tone.cube"
            table.write_text(_table(files.tone), "ascii")
            names["tone"] = escaped(table)
        if files.captions is not None:
            document = Path(folder) / "captions.ass"
            document.write_text(files.captions, "utf-8")
            names["captions"] = escaped(document)
        yield names


@lru_cache(maxsize=4)
def _table(tone: ToneMap) -> str:
    return "\n".join(tone_table(tone)) + "\n"


def escaped(path: Path) -> str:
    """A path inside a filter graph: once for the option's value, once for the graph."""
    value = "".join(f"\\{c}" if c in "\\':" else c for c in str(path))
    return "".join(f"\\{c}" if c in "\\'[],;" else c for c in value)
