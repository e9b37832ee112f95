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


def hdr_light(frame: Any) -> str | None:
    """Static HDR metadata of a decoded frame in words (SMPTE ST 2086, CTA-861.3)."""
    if frame is None:
        return None
    words = []
    for data in frame.side_data:
        if data.type.name == "MASTERING_DISPLAY_METADATA":
            numbers = struct.unpack("=20i2i", bytes(data)[:88])
            least, most = (numbers[at] / (numbers[at + 1] or 1) for at in (16, 18))
            if numbers[21]:
                words.append(f"mastered for {least:g} to {most:g} cd/m²")
        if data.type.name == "CONTENT_LIGHT_LEVEL":
            cll, fall = struct.unpack("=2I", bytes(data)[:8])
            if cll or fall:  # x265 writes zeros for unknown
                words.append(f"MaxCLL {cll}, MaxFALL {fall}")
    return ", ".join(words) or None
