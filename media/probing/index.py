"""The packet index of a video stream: when every frame is shown, and where decoding can start.

Made once by demuxing (see `inspect`), kept in the work store, and the ground truth for
plans and verification. All times are integers in the stream's time base.
"""

from __future__ import annotations

import gzip
import json
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

IN_ONE_PIECE = "encoded in one piece"
"""How a warning about an unreliable index begins; it is of an encode, and a copy has none."""


@dataclass(frozen=True)
class Index:
    """Shown frames in order of presentation."""

    stream: int
    time_base: Fraction
    pts: tuple[int, ...]
    """Strictly rising presentation times of the shown frames."""
    sizes: tuple[int, ...]
    """Bytes of each frame's packet: a hint of how rich it is."""
    keyframes: tuple[int, ...]
    """Presentation times of the frames where decoding can start."""
    closed: frozenset[int]
    """Those keyframes that no frame needs anything before: decoding may start right there."""
    end_pts: int
    """Where the last frame ends."""
    origin_s: Fraction
    """The earliest time of picture or sound in the file: zero on the output's clock."""
    unreliable: str | None = None
    """Why chunks cannot be trusted for this stream; None when they can."""

    def slice(self, start: int | None, end: int | None) -> tuple[int, ...]:
        """The frames shown from `start` (included) to `end` (not included)."""
        first, last = self._range(start, end)
        return self.pts[first:last]

    def size(self, start: int | None, end: int | None) -> int:
        """Bytes of the frames shown from `start` (included) to `end` (not included)."""
        first, last = self._range(start, end)
        return sum(self.sizes[first:last])

    def _range(self, start: int | None, end: int | None) -> tuple[int, int]:
        first = 0 if start is None else bisect_left(self.pts, start)
        last = len(self.pts) if end is None else bisect_left(self.pts, end)
        return first, last

    def to_bytes(self) -> bytes:
        """Compressed JSON; times as differences, which compress well."""
        document = {
            "stream": self.stream,
            "time_base": str(self.time_base),
            "pts": _differences(self.pts),
            "sizes": self.sizes,
            "keyframes": _differences(self.keyframes),
            "closed": _differences(tuple(sorted(self.closed))),
            "end_pts": self.end_pts,
            "origin_s": str(self.origin_s),
            "unreliable": self.unreliable,
        }
        return gzip.compress(json.dumps(document).encode(), compresslevel=6, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes) -> Index:
        """The inverse of `to_bytes`."""
        document = json.loads(gzip.decompress(data))
        return cls(
            stream=document["stream"],
            time_base=Fraction(document["time_base"]),
            pts=_sums(document["pts"]),
            sizes=tuple(document["sizes"]),
            keyframes=_sums(document["keyframes"]),
            closed=frozenset(_sums(document["closed"])),
            end_pts=document["end_pts"],
            origin_s=Fraction(document["origin_s"]),
            unreliable=document["unreliable"],
        )


def _differences(values: tuple[int, ...]) -> list[int]:
    return [value - before for before, value in zip((0, *values), values, strict=False)]


def _sums(differences: list[int]) -> tuple[int, ...]:
    total, values = 0, []
    for step in differences:
        total += step
        values.append(total)
    return tuple(values)
