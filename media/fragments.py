"""CMAF fragments: the init segment, and when each frame is shown, read from the boxes.

FFmpeg's own demuxer shows a fragmented file with negative composition offsets late by a
constant, so chunks are verified by their boxes (ISO/IEC 14496-12: tfhd, tfdt, trun).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from longtake.errors import ProcessKilled

Box = tuple[bytes, int, int]
"""Type, first byte of the content, byte behind the content."""


def split_init(path: Path) -> int:
    """Bytes of the init segment (ftyp and moov): where the first fragment begins."""
    with path.open("rb") as file:
        size = path.stat().st_size
        at = 0
        while at + 8 <= size:
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            if kind in (b"moof", b"styp", b"sidx"):
                return at
            at += length
    raise ProcessKilled(f"{path.name} holds no fragment; its encoder ended too early")


def presentation_times(path: Path) -> list[int]:
    """Presentation time of every frame, sorted, in the track's time scale."""
    times: list[int] = []
    with path.open("rb") as file:
        size = path.stat().st_size
        at = 0
        while at + 8 <= size:
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            if length == 1:
                length = struct.unpack(">Q", file.read(8))[0]
            if kind == b"moof":
                file.seek(at + 8)
                times += _times_of_fragment(file.read(length - 8))
            at += length or size
    return sorted(times)


def time_scale(path: Path) -> int:
    """Ticks per second of the (only) track, from mdhd."""
    init = path.open("rb").read(split_init(path))
    at = init.index(b"mdhd") + 4
    version = init[at]
    return int(struct.unpack_from(">I", init, at + (20 if version == 1 else 12))[0])


def _boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    at = start
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, at + length
        at += length


def _times_of_fragment(moof: bytes) -> list[int]:
    times: list[int] = []
    for kind, start, end in _boxes(moof, 0, len(moof)):
        if kind == b"traf":
            times += _times_of_track(moof, start, end)
    return times


def _times_of_track(moof: bytes, start: int, end: int) -> list[int]:
    decode_time, default_duration = 0, 0
    times: list[int] = []
    for kind, at, _ in _boxes(moof, start, end):
        if kind == b"tfhd":
            default_duration = _default_duration(moof, at)
        elif kind == b"tfdt":
            decode_time = struct.unpack_from(">q" if moof[at] == 1 else ">I", moof, at + 4)[0]
        elif kind == b"trun":
            for duration, offset in _run(moof, at, default_duration):
                times.append(decode_time + offset)
                decode_time += duration
    return times


def _default_duration(moof: bytes, at: int) -> int:
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    field = at + 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    return int(struct.unpack_from(">I", moof, field)[0]) if flags & 0x8 else 0


def _run(moof: bytes, at: int, default_duration: int) -> Iterator[tuple[int, int]]:
    """Duration and composition offset of each sample of a trun."""
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    count = struct.unpack_from(">I", moof, at + 4)[0]
    field = at + 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    signed = ">i" if moof[at] == 1 else ">I"
    for _ in range(count):
        duration, offset = default_duration, 0
        for bit in (0x100, 0x200, 0x400, 0x800):
            if not flags & bit:
                continue
            if bit == 0x100:
                duration = struct.unpack_from(">I", moof, field)[0]
            if bit == 0x800:
                offset = struct.unpack_from(signed, moof, field)[0]
            field += 4
        yield duration, offset
