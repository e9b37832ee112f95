"""How a file is laid out, and what of its light and chapters stands beside the streams."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from longtake.contracts.media import Chapter

MOST_CHAPTERS = 100
"""So many are told one by one: facts travel in messages, which have little room."""


def index_first(path: Path, demuxer: str) -> bool | None:
    """Does an MP4's index (moov) stand before its data (mdat)? None for other containers.

    ISO/IEC 14496-12, 4.2: a box is its size and type; size 1 means 64 bits behind the type.
    """
    if demuxer != "mov":
        return None
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind in (b"moov", b"mdat"):
                return bool(kind == b"moov")
            if size == 1:
                size = struct.unpack(">Q", file.read(8))[0] - 8
            if size < 8:
                return None
            file.seek(size - 8, 1)
    return None


def chapters(container: Any) -> tuple[Chapter, ...]:
    """The chapters of an open container."""
    return tuple(
        Chapter(
            start_s=round(float(each["start"] * each["time_base"]), 6),
            end_s=round(float(each["end"] * each["time_base"]), 6),
            title=each["metadata"].get("title", "")[:100] or None,
        )
        for each in container.chapters()[:MOST_CHAPTERS]
    )
