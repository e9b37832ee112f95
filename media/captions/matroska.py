"""Headers of text tracks in Matroska, which FFmpeg does not give (RFC 9559; EBML, RFC 8794)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_SEGMENT, _CLUSTER, _TRACKS, _TRACK = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE
_KIND, _CODEC_PRIVATE = 0x83, 0x63A2
_SUBTITLE = 0x11
_MOST_BYTES = 16 << 20
"""Of all that tells of tracks; fonts lie elsewhere."""
_MOST_ELEMENTS = 10_000


def text_headers(path: Path) -> tuple[bytes, ...]:
    """CodecPrivate of each text track, in their order, empty where it has none. None are told of a
    file that has its tracks behind the film, or in which they cannot be read.

    Opens an untrusted file: to be run in a child.
    """
    with path.open("rb") as file:
        tracks = _tracks(file, path.stat().st_size)
    return tuple(
        private
        for number, content in _elements(tracks)
        if number == _TRACK
        for kind, private in (_track(content),)
        if kind == _SUBTITLE
    )


def _tracks(file: BinaryIO, size: int) -> bytes:
    """The content of Tracks, which stands before the first cluster; empty if it is not there."""
    for _ in range(_MOST_ELEMENTS):
        number, length = _head(file)
        if number in (None, _CLUSTER):
            return b""
        if number == _SEGMENT:
            continue
        if length is None or file.tell() + length > size:
            return b""
        if number == _TRACKS:
            return file.read(length) if length <= _MOST_BYTES else b""
        file.seek(length, 1)
    return b""


def _track(content: bytes) -> tuple[int, bytes]:
    """Its kind, and CodecPrivate."""
    found = dict(_elements(content))
    return int.from_bytes(found.get(_KIND, b"")[:8], "big"), found.get(_CODEC_PRIVATE, b"")


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of one, up to the first that is not whole."""
    file = BytesIO(content)
    while True:
        number, length = _head(file)
        if number is None or length is None or file.tell() + length > len(content):
            return
        yield number, file.read(length)


def _head(file: BinaryIO) -> tuple[int | None, int | None]:
    """An element's id, None at the end or where there is none; and its length, None if unknown."""
    number, _ = _variable(file, 4)
    length, bits = _variable(file, 8)
    if number is None or length is None:
        return None, None
    length &= (1 << bits) - 1
    return number, None if length == (1 << bits) - 1 else length


def _variable(file: BinaryIO, most: int) -> tuple[int | None, int]:
    """A number of variable length with its marker, and how many bits of it are its value."""
    first = file.read(1)
    width = 9 - first[0].bit_length() if first else 9
    rest = file.read(width - 1) if width <= most else b""
    if len(rest) != width - 1:
        return None, 0
    return int.from_bytes(first + rest, "big"), 7 * width
