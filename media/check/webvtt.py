"""WebVTT segments: header, X-TIMESTAMP-MAP (RFC 8216bis, 3.1.4) and cues."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from media.check.facts import Captions, Cue

_TIME = r"(?:(\d{2,6}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+.*)?", re.ASCII)
_MPEG_HZ = 90_000


class NotWebVtt(ValueError):
    """It cannot be read; the message says why."""


class BadMap(ValueError):
    """X-TIMESTAMP-MAP is not as it should be; the message says how."""


def read_captions(data: bytes, path: str) -> Captions:
    """The cues of a segment. Raises NotWebVtt, BadMap."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotWebVtt(f"it is no UTF-8: {error.reason} at byte {error.start}") from error
    blocks = re.split(r"\n{2,}", text.replace("\r\n", "\n").replace("\r", "\n").strip("\n"))
    header = blocks[0].split("\n")
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", header[0]):
        raise NotWebVtt("its first line is not WEBVTT")
    told = next((line for line in header[1:] if line.startswith("X-TIMESTAMP-MAP")), None)
    return Captions(
        path=path,
        bytes=len(data),
        cues=tuple(_cues(blocks[1:])),
        timestamp_map=_map(told) if told is not None else None,
    )


def _cues(blocks: list[str]) -> Iterator[Cue]:
    for block in blocks:
        lines = block.split("\n")
        if re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", lines[0]):
            continue
        timing = next((i for i, line in enumerate(lines[:2]) if "-->" in line), None)
        if timing is None:
            raise NotWebVtt(f"{lines[0][:60]!r} begins neither a cue nor a note")
        found = _TIMING.fullmatch(lines[timing].strip())
        if found is None:
            raise NotWebVtt(f"{lines[timing][:60]!r} is no timing of a cue")
        start, end = _time(*found.groups()[:4]), _time(*found.groups()[4:])
        if end <= start:
            raise NotWebVtt(f"the cue {lines[timing][:60]!r} ends before it begins")
        yield Cue(start, end, "\n".join(lines[timing + 1 :]))


def _time(hours: str | None, minutes: str, rest: str, thousandths: str) -> Fraction:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(rest)
    return whole + Fraction(int(thousandths), 1000)


def _map(line: str) -> Fraction:
    """Seconds to add to the file's times for those of the media."""
    parts = dict(
        part.partition(":")[::2] for part in line.partition("=")[2].replace(" ", "").split(",")
    )
    local = re.fullmatch(_TIME, parts.get("LOCAL", ""), re.ASCII)
    ticks = re.fullmatch(r"\d{1,12}", parts.get("MPEGTS", ""), re.ASCII)
    if local is None or ticks is None:
        raise BadMap(f"{line[:80]!r} is not X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000")
    return Fraction(int(ticks[0]), _MPEG_HZ) - _time(*local.groups())
