"""Read the frames' times of a GIF, WebP or AVIF from its bytes: FFmpeg reads no animated WebP,
and hides how often an image is shown."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from longtake.errors import InputCorrupt


@dataclass(frozen=True)
class Animation:
    """An animated image. Times are seconds from its start."""

    width: int
    height: int
    starts: tuple[Fraction, ...]
    """When each stored frame comes."""
    end: Fraction
    tick: Fraction
    """The format's, in seconds."""
    loops: int
    """How often it is shown; 0 for ever."""


def read_animation(path: Path) -> Animation:
    """Read a file by its first bytes. Raises InputCorrupt if it is no whole animation."""
    data = path.read_bytes()
    try:
        if data.startswith(b"GIF89a"):
            return _gif(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[4:12] == b"ftypavis":
            return _avif(data)
    except (struct.error, IndexError, ValueError) as error:
        raise InputCorrupt(f"{path.name} is cut off or damaged: {error}") from error
    raise InputCorrupt(f"{path.name} is no animated GIF, WebP or AVIF")


def _made(size: tuple[int, int], durations: list[int], tick: Fraction, loops: int) -> Animation:
    *starts, end = accumulate(durations, initial=0)
    return Animation(*size, tuple(at * tick for at in starts), end * tick, tick, loops)


def _gif(data: bytes) -> Animation:
    """GIF89a: blocks behind a header; delays stand in a control block before each image."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _palette(flags)
    durations: list[int] = []
    delay, loops = 0, 1
    while data[at] != 0x3B:
        kind = data[at : at + 2]
        if kind[0] == 0x2C:
            durations.append(delay)
            at = _behind(data, at + 11 + _palette(data[at + 9]))
        elif kind[0] == 0x21:
            if kind[1] == 0xF9:
                delay = struct.unpack_from("<H", data, at + 4)[0]
            elif kind[1] == 0xFF and data[at + 3 : at + 14] == b"NETSCAPE2.0":
                again = struct.unpack_from("<H", data, at + 16)[0]
                loops = again + 1 if again else 0
            at = _behind(data, at + 2)
        else:
            raise ValueError(f"byte {at} begins no block")
    return _made((width, height), durations, Fraction(1, 100), loops)


def _palette(flags: int) -> int:
    """Bytes of a colour table that the flags tell of."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _behind(data: bytes, at: int) -> int:
    """The byte behind sub-blocks, which end with an empty one."""
    while data[at]:
        at += data[at] + 1
    return at + 1


def _webp(data: bytes) -> Animation:
    """RFC 9649: RIFF chunks, of which each ANMF is a frame. Where nothing moves, the encoder
    writes a still image: one frame without an end."""
    size, loops = (0, 0), 0
    durations: list[int] = []
    at = 12
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > len(data):
            raise ValueError(f"chunk at byte {at} ends behind the file")
        if kind == b"VP8X":
            size = (_three(data, at + 12) + 1, _three(data, at + 15) + 1)
        elif kind == b"ANIM":
            loops = struct.unpack_from("<H", data, at + 12)[0]
        elif kind == b"ANMF":
            durations.append(_three(data, at + 20))
        elif kind == b"VP8 ":
            wide, high = struct.unpack_from("<HH", data, at + 14)
            size = (wide & 0x3FFF, high & 0x3FFF)
            durations.append(0)
        at += 8 + length + length % 2
    return _made(size, durations, Fraction(1, 1000), loops)


def _three(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _avif(data: bytes) -> Animation:
    """AVIF 1.1 and ISO/IEC 14496-12: an image sequence is a track; tkhd tells how long it is
    shown in all, elst how long once and whether again."""
    track = {kind: data[a:b] for kind, a, b in _boxes(data, 0, len(data))}
    tkhd, mdhd, stts, elst = (track[kind] for kind in (b"tkhd", b"mdhd", b"stts", b"elst"))
    width, height = struct.unpack_from(">II", tkhd, len(tkhd) - 8)
    long = mdhd[0] == 1
    scale = struct.unpack_from(">I", mdhd, 20 if long else 12)[0]
    count = struct.unpack_from(">I", stts, 4)[0]
    runs = struct.iter_unpack(">II", stts[8 : 8 + 8 * count])
    durations = [ticks for frames, ticks in runs for _ in range(frames)]
    return _made((width >> 16, height >> 16), durations, Fraction(1, scale), _loops(tkhd, elst))


def _loops(tkhd: bytes, elst: bytes) -> int:
    once = struct.unpack_from(">Q" if elst[0] == 1 else ">I", elst, 8)[0]
    wide = tkhd[0] == 1
    whole = struct.unpack_from(">Q" if wide else ">I", tkhd, 28 if wide else 20)[0]
    if not elst[3] & 1:
        return 1
    return 0 if whole >= (2**63 - 1 if wide else 2**32 - 1) else max(1, whole // max(1, once))


_FOLDERS = (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl")


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Every box down to the sample table: its type and where its content lies."""
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        if length < 8 or at + length > end:
            raise ValueError(f"box at byte {at} ends behind its file")
        if kind in _FOLDERS:
            yield from _boxes(data, at + 8, at + length)
        else:
            yield kind, at + 8, at + length
        at += length
