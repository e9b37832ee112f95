"""A sliver at the end of a sound: a last segment of a frame or two, which the one before takes.

Sound is cut at multiples of a segment's length; the picture's last segment may end a frame behind
one. Of a sound with a segment more than the picture, a few milliseconds long, hls.js 1.7.4 never
comes to the end, and Shaka Player 5.2.12 does not show the last frame (measured).
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

SLIVER_S = Fraction(1, 10)
"""What is shorter is no segment of its own."""
_REFERENCE = 12
"""Bytes of what a sidx says of a fragment."""


def join_sliver(before: Path, sliver: Path) -> None:
    """Put the fragments of the last segment behind those of the one before it; the file is gone
    then. The index (sidx) tells of all of them (ISO/IEC 14496-12, 8.16.3)."""
    one, other = before.read_bytes(), sliver.read_bytes()
    start, told, end = _index(one)
    _, added, behind = _index(other)
    index = bytearray(one[start:end] + other[added:behind])
    struct.pack_into(">I", index, 0, len(index))
    count = (end - told + behind - added) // _REFERENCE
    struct.pack_into(">H", index, told - start - 2, count)
    before.write_bytes(one[:start] + index + one[end:] + other[behind:])
    sliver.unlink()


def _index(segment: bytes) -> tuple[int, int, int]:
    """Where the sidx of a segment begins, where its references do, and where both end."""
    at = 0
    while True:
        size, kind = struct.unpack_from(">I4s", segment, at)
        if kind == b"sidx":
            break
        at += size
    wide = segment[at + 8]  # the version: times and offsets of 64 bits
    return at, at + (40 if wide else 32), at + size
