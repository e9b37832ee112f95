"""Comments and lyrics in the frames that ID3 has for them.

FFmpeg's muxer of MP3 writes both as text of the user's own (TXXX, named `comment` and `USLT`),
where players do not look. Source: id3.org, "ID3 tag version 2.4.0 - Native Frames", 4.2.6, 4.8 and
4.10; version 2.3.0 has the same frames.
"""

from __future__ import annotations

import re
from pathlib import Path

_HEADER = 10
"""Bytes of the tag's header, and of each frame's."""
_LYRICS = re.compile(
    r"(?:USLT|lyrics)(?:-(?:(?P<named>.*)-)?(?P<language>[A-Za-z]{3}))?", re.DOTALL
)
"""As FFmpeg calls them: those that it read have their name and language behind."""
_CODECS = {0: ("latin-1", ""), 1: ("utf-16-le", "\ufeff"), 3: ("utf-8", "")}
"""By the byte that tells it, and the mark before each string."""
_UNKNOWN = "XXX"
"""Where the language is not known."""


def name_comments(path: Path) -> None:
    """Give the comment and the lyrics of an MP3 that FFmpeg has just written their own frames.

    Its tag keeps its length, so nothing behind it moves: the new frames are shorter.
    """
    with path.open("r+b") as file:
        header = file.read(_HEADER)
        if not header.startswith(b"ID3"):
            return
        version = header[3]
        tag = file.read(_size(header[6:], 4))
        frames, at = [], 0
        while tag[at : at + 1].strip(b"\0"):  # behind the last one: padding
            end = at + _HEADER + _size(tag[at + 4 : at + 8], version)
            frames.append(_frame(tag[at:end], version))
            at = end
        file.seek(_HEADER)
        file.write(b"".join(frames).ljust(len(tag), b"\0"))


def _frame(frame: bytes, version: int) -> bytes:
    """The frame, or what stands for it."""
    name, text = frame[:4], frame[_HEADER + 1 :]
    if name != b"TXXX":
        return frame
    codec, mark = _CODECS[frame[_HEADER]]
    words = text.decode(codec, "replace").replace("\ufeff", "").rstrip("\0")
    called, _, value = words.partition("\0")
    language, named = _UNKNOWN, ""
    if called == "comment":
        name = b"COMM"
    elif found := _LYRICS.fullmatch(called):
        name, language, named = b"USLT", found["language"] or _UNKNOWN, found["named"] or ""
    else:
        return frame
    told = f"{mark}{named}\0{mark}{value}"
    body = frame[_HEADER : _HEADER + 1] + language.encode() + told.encode(codec)
    return name + _sized(len(body), version) + frame[8:_HEADER] + body


def _size(told: bytes, version: int) -> int:
    """Version 4 counts with seven bits a byte."""
    bits = 7 if version == 4 else 8
    return sum(byte << bits * (3 - at) for at, byte in enumerate(told))


def _sized(size: int, version: int) -> bytes:
    bits = 7 if version == 4 else 8
    return bytes(size >> bits * (3 - at) & (1 << bits) - 1 for at in range(4))
