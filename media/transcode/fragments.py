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
from itertools import accumulate
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


def decode_as_shown(track: Path, last_s: Fraction | None = None) -> None:
    """Let the frame that is decoded as the n-th be decoded when the n-th is shown, in place. When
    frames are shown stays as it is. The last one is shown `last_s` seconds, where that is given.

    Encoders decode ahead of the picture by as much as their first frames take to be reordered.
    Where frames last longer or shorter later on, chunks behind each other would overlap or leave
    gaps; so they would where some encoders, on a coarse clock, tell a frame's mean duration in
    place of its own. Frames that all last as long have such times already.
    """
    with track.open("rb") as file:
        fragments = [_fragment(moof) for moof in _moofs_of_file(file)]
        begins = [min(each.shown) for each in fragments]
        end = None
        if last_s is not None:
            end = max(fragments[-1].shown) + round(last_s * time_scale(track))
        ends = [*begins[1:], end]
        wanted = [each.in_turn(until) for each, until in zip(fragments, ends, strict=False)]
        if wanted == fragments:
            return
        retimed = track.with_name(f"{track.name}.retimed")
        with retimed.open("wb") as target:
            turns = iter(wanted)
            for kind, start, end in list(_boxes_of_file(file, 0)):
                file.seek(start)
                box = file.read(end - start)
                target.write(_retimed(box, next(turns)) if kind == b"moof" else box)
    retimed.replace(track)


@dataclass(frozen=True)
class _Fragment:
    """A fragment on its track's clock: when its first frame is decoded; and of each frame, in the
    order of decoding, its duration and how much later it is shown than decoded."""

    begins: int
    samples: tuple[tuple[int, int], ...]

    @property
    def shown(self) -> list[int]:
        """When each frame is shown, in the order of decoding."""
        ahead = accumulate((duration for duration, _ in self.samples), initial=self.begins)
        return [at + offset for at, (_, offset) in zip(ahead, self.samples, strict=False)]

    def in_turn(self, until: int | None) -> Self:
        """The same frames, decoded when one is shown. `until`: when the next fragment begins."""
        turns = sorted(self.shown)
        last = turns[-1] + self.samples[-1][0]
        ends = [*turns[1:], until if until is not None and until > turns[-1] else last]
        lengths = [end - turn for turn, end in zip(turns, ends, strict=True)]
        later = [at - turn for at, turn in zip(self.shown, turns, strict=True)]
        return type(self)(turns[0], tuple(zip(lengths, later, strict=True)))


def _fragment(moof: bytes) -> _Fragment:
    begins = default_duration = 0
    samples: list[tuple[int, int]] = []
    for kind, start, end in _boxes(moof, 8, len(moof)):
        for inner, at, _ in _boxes(moof, start, end) if kind == b"traf" else ():
            if inner == b"tfhd":
                default_duration = _default(moof, at, 0x8)
            elif inner == b"tfdt":
                begins = _decode_time(moof, at)
            elif inner == b"trun":
                samples += [
                    (each.duration, each.offset) for each in _run(moof, at, default_duration)
                ]
    return _Fragment(begins, tuple(samples))


def _retimed(moof: bytes, wanted: _Fragment) -> bytes:
    """A moof with other times. It has one track, in one run of samples, as FFmpeg writes it."""
    found = bytearray(moof)
    for kind, start, end in _boxes(moof, 8, len(moof)):
        for inner, at, behind in _boxes(moof, start, end) if kind == b"traf" else ():
            if inner == b"tfdt":
                struct.pack_into(">q" if moof[at] == 1 else ">I", found, at + 4, wanted.begins)
            elif inner == b"trun":
                found[at:behind] = run = _run_of(moof, at, wanted)
                longer = len(run) - (behind - at)
                for box in (0, start - 8, at - 8):
                    _add(found, box, longer)
                _add(found, at + 8, longer)  # where the samples' bytes begin, from the moof on
    return bytes(found)


def _add(data: bytearray, at: int, what: int) -> None:
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + what)


def _run_of(moof: bytes, at: int, wanted: _Fragment) -> bytes:
    """The content of the trun at `at`, with a duration and an offset for each sample: it may have
    had room for one duration alone."""
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    begin = at + 12 + (4 if flags & 0x4 else 0)
    run = bytes([1]) + (flags | 0x100 | 0x800).to_bytes(3, "big") + moof[at + 4 : begin]
    for sample, (duration, offset) in zip(_run(moof, at, 0), wanted.samples, strict=True):
        run += struct.pack(">I", duration) + sample.others + struct.pack(">i", offset)
    return run


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
        yield from _moofs_of_file(file)


def _moofs_of_file(file: BinaryIO) -> Iterator[bytes]:
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
            for sample in _run(moof, at, default_duration):
                times.append(decode_time + sample.offset)
                decode_time += sample.duration
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
                yield from (sample.size or usual for sample in _run(moof, at, 0))


def _default(moof: bytes, at: int, which: int) -> int:
    """What a tfhd says of all samples: their duration (0x8) or their size (0x10); 0 if nothing."""
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    before = ((0x1, 8), (0x2, 4), (0x8, 4))
    field = at + 8 + sum(size for bit, size in before if flags & bit and bit < which)
    return int(struct.unpack_from(">I", moof, field)[0]) if flags & which else 0


@dataclass(frozen=True)
class _Sample:
    """A sample of a trun. `size`: 0 if it has none of its own. `others`: its size and flags as they
    stand there, as far as they do."""

    duration: int
    offset: int
    size: int
    others: bytes


def _run(moof: bytes, at: int, default_duration: int) -> Iterator[_Sample]:
    flags = int.from_bytes(moof[at + 1 : at + 4], "big")
    count = struct.unpack_from(">I", moof, at + 4)[0]
    field = at + 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    signed = ">i" if moof[at] == 1 else ">I"
    for _ in range(count):
        duration, offset, size, others = default_duration, 0, 0, b""
        for bit in (0x100, 0x200, 0x400, 0x800):
            if not flags & bit:
                continue
            if bit == 0x100:
                duration = struct.unpack_from(">I", moof, field)[0]
            elif bit == 0x800:
                offset = struct.unpack_from(signed, moof, field)[0]
            else:
                others += moof[field : field + 4]
            if bit == 0x200:
                size = struct.unpack_from(">I", moof, field)[0]
            field += 4
        yield _Sample(duration, offset, size, others)
