"""Boxes of ISO/IEC 14496-12, read with every length checked: the file may be made to do harm."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

Bytes = bytes | mmap


class Malformed(ValueError):
    """The boxes are not what the standard says; the message is for people."""


@dataclass(frozen=True)
class Box:
    """A box: where it begins, where its content begins, and the byte behind it."""

    kind: str
    begin: int
    start: int
    end: int


def boxes(data: Bytes, start: int, end: int) -> Iterator[Box]:
    """Boxes between two bytes. Raises Malformed where one does not fit."""
    at = start
    while at < end:
        if at + 8 > end:
            raise Malformed(f"{end - at} bytes at byte {at} are no box")
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        elif size == 0:
            size = end - at
        kind = name.decode("latin-1")
        if size < head or at + size > end:
            raise Malformed(f"box {kind!r} at byte {at} says {size} bytes; {end - at} are there")
        yield Box(kind, at, at + head, at + size)
        at += size


def find(data: Bytes, start: int, end: int, *path: str) -> Box | None:
    """The first box at `path`, such as `mdia`, `mdhd`."""
    found = None
    for kind in path:
        found = next((box for box in boxes(data, start, end) if box.kind == kind), None)
        if found is None:
            return None
        start, end = found.start, found.end
    return found


def need(data: Bytes, start: int, end: int, *path: str) -> Box:
    """The same; raises Malformed where there is none."""
    found = find(data, start, end, *path)
    if found is None:
        raise Malformed(f"there is no box {'/'.join(path)}")
    return found


def unpack(form: str, data: Bytes, at: int, end: int) -> tuple[int, ...]:
    """Numbers at a place. Raises Malformed where the box ends before them."""
    if at + struct.calcsize(form) > end:
        raise Malformed(f"a box ends at byte {end}, in the middle of a field")
    return struct.unpack_from(form, data, at)


def number(form: str, data: Bytes, at: int, end: int) -> int:
    """One number at a place."""
    return unpack(form, data, at, end)[0]


def full(data: Bytes, box: Box) -> tuple[int, int, int]:
    """Version and flags of a full box, and where its fields begin."""
    word = number(">I", data, box.start, box.end)
    return word >> 24, word & 0xFFFFFF, box.start + 4
