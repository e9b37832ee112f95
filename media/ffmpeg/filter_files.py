"""Files that filters read: written by us, under names of ours, and gone after the encode.

No path that a user wrote stands in a filter's description, where it would be a small language.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from longtake.contracts.base import Contract
from media.picture.colour import ToneMap, tone_table


class FilterFiles(Contract):
    """What the filters of a picture read; it stands in the plan."""

    tone: ToneMap | None = None
    captions: str | None = None
    """An ASS document of ours."""


@contextmanager
def written(files: FilterFiles, draft: Path) -> Iterator[dict[str, str]]:
    """Write the files beside a draft; gives what to put for `{tone}` and `{captions}`.

    Under the draft's name, so that what a killed worker leaves is swept with it.
    """
    names: dict[str, str] = {}
    made: list[Path] = []
    try:
        for name, suffix, text in _texts(files):
            path = draft.with_name(f"{draft.name}.{suffix}")
            made.append(path)
            path.write_text(text, "utf-8")
            names[name] = escaped(path)
        yield names
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def _texts(files: FilterFiles) -> Iterator[tuple[str, str, str]]:
    if files.tone is not None:
        yield "tone", "tone.cube", _table(files.tone)
    if files.captions is not None:
        yield "captions", "captions.ass", files.captions


@lru_cache(maxsize=4)
def _table(tone: ToneMap) -> str:
    return "\n".join(tone_table(tone)) + "\n"


def escaped(path: Path) -> str:
    """A path inside a filter graph: once for the option's value, once for the graph."""
    value = "".join(f"\\{c}" if c in "\\':" else c for c in str(path))
    return "".join(f"\\{c}" if c in "\\'[],;" else c for c in value)
