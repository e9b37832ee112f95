"""Tags, chapters and a cover, as the formats want them.

All go through a file in FFmpeg's metadata format, for a cover in Ogg is a comment of its own
(xiph.org, "METADATA_BLOCK_PICTURE"), and too long for an argument.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Literal

from longtake.contracts.base import Uri
from longtake.contracts.containers import CONTAINER_OF_SUFFIX
from longtake.contracts.media import MediaFacts
from longtake.contracts.stitch import Stitch
from longtake.errors import InputTooLarge, InputUnsupported
from longtake.paths import name_of
from media.programme.timeline import Mark
from media.tags.carry import lost
from media.tags.chapters import chapter_comments
from media.tags.covers import picture_comment

MOST_COVER_BYTES = 10 << 20


@dataclass(frozen=True)
class Cover:
    """An image."""

    path: Path
    codec: Literal["png", "mjpeg"]


def cover_at(path: Path) -> Cover:
    """The image in a file. Raises InputUnsupported for another format, InputTooLarge."""
    with path.open("rb") as file:
        head = file.read(8)
    if path.stat().st_size > MOST_COVER_BYTES:
        raise InputTooLarge(
            f"the cover {path.name} is larger than {MOST_COVER_BYTES >> 20} MB: make it smaller"
        )
    if head == b"\x89PNG\r\n\x1a\n":
        return Cover(path, "png")
    if head.startswith(b"\xff\xd8\xff"):
        return Cover(path, "mjpeg")
    raise InputUnsupported(f"the cover {path.name} is neither JPEG nor PNG")


def metadata(
    tags: Mapping[str, str], chapters: Sequence[Mark], rate_hz: int, codec: str, cover: Cover | None
) -> str:
    """Tags and chapters in FFmpeg's metadata format, for an output of this codec."""
    own = dict(tags)
    in_comments = codec in ("flac", "opus")
    if in_comments:
        starts = ((Fraction(mark.first, rate_hz), mark.title) for mark in chapters)
        own |= dict(chapter_comments(starts))
    if codec == "opus" and cover is not None:
        mime = "image/png" if cover.codec == "png" else "image/jpeg"
        own["METADATA_BLOCK_PICTURE"] = picture_comment(cover.path.read_bytes(), mime)
    lines = [";FFMETADATA1", *(f"{_escaped(key)}={_escaped(value)}" for key, value in own.items())]
    for mark in () if in_comments else chapters:
        lines += [
            *("[CHAPTER]", f"TIMEBASE=1/{rate_hz}", f"START={mark.first}", f"END={mark.end}"),
            f"title={_escaped(mark.title)}",
        ]
    return "\n".join(lines) + "\n"


def tags_of(job: Stitch, number: int | None) -> dict[str, str]:
    """Tags of the whole; of a part alone (`number`) with its own title."""
    if number is None:
        return job.tags
    part = job.timeline[number]
    return job.tags | {"title": part.chapter or PurePath(name_of(part.source)).stem}


def not_taken(
    tags: Mapping[str, str],
    chapters: Sequence[Mark],
    cover: Cover | None,
    facts: MediaFacts,
    uri: Uri,
) -> tuple[str, ...]:
    """Words for tags, chapters and a cover that a finished file does not have."""
    holder = CONTAINER_OF_SUFFIX[PurePath(name_of(uri)).suffix.lower()]
    words = lost(tags, len(chapters), int(cover is not None), facts, holder)
    return tuple(f"{name_of(uri)}: {each}" for each in words)


def chapters_json(chapters: Sequence[Mark], rate_hz: int, tags: Mapping[str, str]) -> bytes:
    """Podcasting 2.0's JSON Chapters, version 1.2.0."""
    document: dict[str, object] = {"version": "1.2.0"}
    names = (("title", "title"), ("artist", "author"), ("album", "podcastName"))
    document |= {name: tags[tag] for tag, name in names if tag in tags}
    document["chapters"] = [
        {
            "startTime": round(mark.first / rate_hz, 3),
            "endTime": round(mark.end / rate_hz, 3),
            "title": mark.title,
        }
        for mark in chapters
    ]
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "=;#\\\n" else char for char in text)
