"""How a file is laid out, and what of its light and chapters stands beside the streams."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

from longtake.contracts.media import Chapter

MOST_CHAPTERS = 100
"""So many are told one by one: facts travel in messages, which have little room."""


_ASF_HEADER = 64 << 10
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


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


def asf_length(path: Path) -> Fraction | None:
    """How long the header of an ASF (WMV, WMA) says that it plays, in seconds; FFmpeg does not tell
    it of one that was cut off. None of a broadcast, or where no header says it.

    Advanced Systems Format, 3.2: the File Properties Object.
    """
    with path.open("rb") as file:
        _, found, told = file.read(_ASF_HEADER).partition(_FILE_PROPERTIES)
    if not found or len(told) < 76:
        return None
    play, _, preroll, flags = struct.unpack_from("<QQQI", told, 48)
    length = Fraction(play, 10_000_000) - Fraction(preroll, 1000)
    return None if flags & 1 or length <= 0 else length


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
