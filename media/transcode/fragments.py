"""CMAF fragments: the init segment, and when each frame is shown, read from the boxes.

FFmpeg's own demuxer shows a fragmented file with negative composition offsets late by a
constant, so chunks are verified by their boxes (ISO/IEC 14496-12: tfhd, tfdt, trun).
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

from longtake.errors import InputCorrupt

Box = tuple[bytes, int, int]
"""Type, first byte of the content, byte behind the content."""


class Joining:
    """One CMAF track in the making: the init segment once, then every chunk's fragments.

    In a file, not a pipe: FFmpeg's reader shifts a track by its most negative composition
    offset, and only in a file that it can seek in does it know that offset from the start.
    Through a pipe, frames move when a chunk with longer reordering comes (measured).
    """

    def __init__(self, target: Path, count: int) -> None:
        """`count`: how many chunks there are."""
        self._joined = target.open("wb")
        self._count = count
        self._added = 0
        self._init = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._joined.close()

    def add(self, chunk: Path, later_s: Fraction = Fraction()) -> None:
        """Write the next chunk, all of it so many seconds later than it says.

        Raises InputCorrupt if it does not fit those before it.
        """
        with chunk.open("rb") as file:
            begin = 0
            if self._count > 1:  # the only one need not be made of fragments
                begin = split_init(chunk)
                self._check(file.read(begin))
            if later_s:
                _copy_later(file, begin, self._joined, int(later_s * time_scale(chunk)))
            else:
                shutil.copyfileobj(file, self._joined, 1 << 20)
        self._added += 1

    def _check(self, init: bytes) -> None:
        if self._added == 0:
            self._init = init
            self._joined.write(init)
        elif init != self._init:
            raise InputCorrupt(
                f"chunk {self._added + 1} describes its picture otherwise than the first: "
                "the source changes its size or format on the way, which cannot be joined"
            )


def close_gaps(track: Path) -> None:
    """Let the last frame of every fragment last until the next fragment begins, in place.

    Where a clock is coarse, some encoders tell a frame's mean duration in place of its own: the
    segments of a package would overlap by a part of a millisecond.
    """
    with track.open("r+b") as file:
        before: _Fragment | None = None
        for kind, start, end in list(_boxes_of_file(file, 0)):
            if kind != b"moof":
                continue
            file.seek(start)
            fragment = _fragment(file.read(end - start), start)
            if before is not None and before.last_at is not None:
                wanted = fragment.begins - before.last_begins
                if wanted > 0 and wanted != before.ends - before.last_begins:
                    file.seek(before.last_at)
                    file.write(struct.pack(">I", wanted))
            before = fragment


@dataclass(frozen=True)
class _Fragment:
    """A fragment on its track's clock."""

    begins: int
    last_begins: int
    """Decode time of the last frame."""
    ends: int
    last_at: int | None
    """Where in the file the last frame's own duration stands; None where it has none."""


def _fragment(moof: bytes, offset: int) -> _Fragment:
    begins = decode_time = last = default_duration = 0
    last_at: int | None = None
    for kind, start, end in _boxes(moof, 8, len(moof)):
        for inner, at, _ in _boxes(moof, start, end) if kind == b"traf" else ():
            if inner == b"tfhd":
                default_duration = _default(moof, at, 0x8)
            elif inner == b"tfdt":
                begins = decode_time = _decode_time(moof, at)
            elif inner == b"trun":
                for field, duration, *_ in _run(moof, at, default_duration):
                    last, decode_time = decode_time, decode_time + duration
                    last_at = None if field is None else offset + field
    return _Fragment(begins, last, decode_time, last_at)


def _decode_time(moof: bytes, tfdt: int) -> int:
    return int(struct.unpack_from(">q" if moof[tfdt] == 1 else ">I", moof, tfdt + 4)[0])


def split_init(path: Path) -> int:
    """Bytes of the init segment (ftyp and moov): where the first fragment begins."""
    with path.open("rb") as file:
        for kind, start, _ in _boxes_of_file(file, 0):
            if kind in (b"moof", b"styp", b"sidx"):
                return start
    raise InputCorrupt("no frame of the source could be decoded")


def has_frames(path: Path) -> bool:
    """Whether anything is in the file but an init segment, if that."""
    return next(_moofs(path), None) is not None


def _copy_later(file: BinaryIO, begin: int, target: BinaryIO, ticks: int) -> None:
    """Copy fragments with their decode times moved."""
    for kind, start, end in _boxes_of_file(file, begin):
        file.seek(start)
        data = bytearray(file.read(end - start))
        if kind == b"moof":
            _move(data, ticks)
        target.write(data)


def _move(moof: bytearray, ticks: int) -> None:
    for kind, start, end in _boxes(moof, 8, len(moof)):
        for inner, at, _ in _boxes(moof, start, end) if kind == b"traf" else ():
            if inner == b"tfdt":
                form = ">q" if moof[at] == 1 else ">I"
                (time,) = struct.unpack_from(form, moof, at + 4)
                struct.pack_into(form, moof, at + 4, time + ticks)


def presentation_times(path: Path) -> list[int]:
    """Presentation time of every frame, sorted, in the track's time scale."""
    return sorted(time for moof in _moofs(path) for time in _times_of_fragment(moof))


def fragment_times(path: Path) -> list[Fraction]:
    """When the first frame of every fragment is shown, in seconds on the track's clock."""
    scale = time_scale(path)
    return [Fraction(next(iter(_times_of_fragment(moof))), scale) for moof in _moofs(path)]


def count_samples(path: Path) -> int:
    """Samples of the (only) track of an MP4 file, of fragments or not."""
    counts = [len(_times_of_fragment(moof)) for moof in _moofs(path)]
    if counts:
        return sum(counts)
    with path.open("rb") as file:
        for kind, start, end in _boxes_of_file(file, 0):
            if kind == b"moov":
                file.seek(start)
                moov = file.read(end - start)
                return int(struct.unpack_from(">I", moov, moov.index(b"stsz") + 12)[0])
    return 0


def time_scale(path: Path) -> int:
    """Ticks per second of the (only) track, from mdhd."""
    init = path.open("rb").read(split_init(path))
    at = init.index(b"mdhd") + 4
    version = init[at]
    return int(struct.unpack_from(">I", init, at + (20 if version == 1 else 12))[0])


def _moofs(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for kind, start, end in _boxes_of_file(file, 0):
            if kind == b"moof":
                file.seek(start)
                yield file.read(end - start)


def _boxes_of_file(file: BinaryIO, at: int) -> Iterator[Box]:
    """Top-level boxes from `at` on: type, first byte of the whole box, byte behind it."""
    size = file.seek(0, os.SEEK_END)
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0]
        end = at + length if length else size
        yield kind, at, end
        at = end


def _boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[Box]:
    at = start
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, at + length
        at += length


def _times_of_fragment(moof: bytes) -> list[int]:
    times: list[int] = []
    for kind, start, end in _boxes(moof, 8, len(moof)):
        if kind == b"traf":
            times += _times_of_track(moof, start, end)
    return times


def _times_of_track(moof: bytes, start: int, end: int) -> list[int]:
    decode_time, default_duration = 0, 0
    times: list[int] = []
    for kind, at, _ in _boxes(moof, start, end):
        if kind == b"tfhd":
            default_duration = _default(moof, at, 0x8)
        elif kind == b"tfdt":
            decode_time = _decode_time(moof, at)
        elif kind == b"trun":
            for _, duration, offset, _ in _run(moof, at, default_duration):
                times.append(decode_time + offset)
                decode_time += duration
    return times


def frame_sizes(path: Path) -> list[int]:
    """Bytes of every frame, in the order in which they are decoded."""
    return [size for moof in _moofs(path) for size in _sizes_of_fragment(moof)]


def _sizes_of_fragment(moof: bytes) -> Iterator[int]:
    for kind, start, end in _boxes(moof, 8, len(moof)):
        usual = 0
        for inner, at, _ in _boxes(moof, start, end) if kind == b"traf" else ():
            if inner == b"tfhd":
                usual = _default(moof, at, 0x10)
            elif inner == b"trun":
                yield from (size or usual for *_, size in _run(moof, at, 0))


def _default(moof: bytes, at: int, which: int) -> int:
    """What a tfhd says of all samples: their duration (0x8) or their size (0x10); 0 if nothing."""
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    before = ((0x1, 8), (0x2, 4), (0x8, 4))
    field = at + 8 + sum(size for bit, size in before if flags & bit and bit < which)
    return int(struct.unpack_from(">I", moof, field)[0]) if flags & which else 0


def _run(moof: bytes, at: int, default_duration: int) -> Iterator[tuple[int | None, int, int, int]]:
    """Of each sample of a trun: where its duration stands, if it has one of its own, its duration,
    its composition offset, and its bytes, 0 if it has none of its own."""
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    count = struct.unpack_from(">I", moof, at + 4)[0]
    field = at + 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    signed = ">i" if moof[at] == 1 else ">I"
    for _ in range(count):
        told_at: int | None = None
        duration, offset, size = default_duration, 0, 0
        for bit in (0x100, 0x200, 0x400, 0x800):
            if not flags & bit:
                continue
            if bit == 0x100:
                told_at, duration = field, struct.unpack_from(">I", moof, field)[0]
            if bit == 0x200:
                size = struct.unpack_from(">I", moof, field)[0]
            if bit == 0x800:
                offset = struct.unpack_from(signed, moof, field)[0]
            field += 4
        yield told_at, duration, offset, size
