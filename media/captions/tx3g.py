"""Captions as MP4 has them of its own: timed text (3GPP TS 26.245)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from media.captions.cue_colour import of_rgba
from media.captions.cue_text import PLAIN, Look, from_runs

_FACE = 24
"""Where in a sample description the face of words without a style of their own stands."""


def usual_look(description: bytes) -> Look:
    """The style of a track, from its sample description."""
    if len(description) <= _FACE:
        return PLAIN
    return _look(description[_FACE], description[_FACE + 2 : _FACE + 6])


def read_sample(sample: bytes, usual: Look) -> str:
    """The words of a sample with their tags. Raises UnicodeDecodeError."""
    if len(sample) < 2:
        return ""
    end = 2 + struct.unpack_from(">H", sample)[0]
    data = sample[2:end]
    wide = data.startswith((b"\xfe\xff", b"\xff\xfe"))
    words = data.decode("utf-16" if wide else "utf-8")
    runs, at = list[tuple[str, Look]](), 0
    for start, stop, look in sorted(_styles(sample[end:]), key=lambda each: each[:2]):
        begin = max(start, at)
        runs += [(words[at:begin], usual), (words[begin:stop], look)]
        at = max(stop, begin)
    return from_runs([*runs, (words[at:], usual)])


def _styles(boxes: bytes) -> Iterator[tuple[int, int, Look]]:
    """Of the characters from the first number to the second."""
    while len(boxes) >= 8:
        size, kind = struct.unpack_from(">I4s", boxes)
        if kind == b"styl" and size >= 10:
            records = boxes[10:size]
            for at in range(0, len(records) - 11, 12):
                start, stop, _, face = struct.unpack_from(">3HB", records, at)
                yield start, stop, _look(face, records[at + 8 : at + 12])
        boxes = boxes[max(size, 8) :]


def _look(face: int, rgba: bytes) -> Look:
    return Look(
        bold=bool(face & 1),
        italic=bool(face & 2),
        underlined=bool(face & 4),
        colour=of_rgba(rgba),
    )
