"""Captions in WebVTT: read, and cut into the segments of HLS (W3C WebVTT; RFC 8216, 3.5)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from longtake.errors import InputCorrupt, InputTooLarge
from media.captions.cue import Cue as Spoken

MAX_BYTES = 10 << 20

_CLOCK = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMES = re.compile(rf"{_CLOCK}[ \t]+-->[ \t]+{_CLOCK}(?:[ \t]+(.*))?")
# The clock of captions is that of the media, whose first sample need not be at 0.
_SEGMENT_HEAD = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"


@dataclass(frozen=True)
class Cue:
    """A cue: when it is shown, in milliseconds, where (`settings`), and its text, with its tags."""

    start_ms: int
    end_ms: int
    text: str
    name: str = ""
    settings: str = ""


@dataclass(frozen=True)
class Captions:
    """A WebVTT file: styles and regions as they are, and the cues in the order of their start."""

    styles: tuple[str, ...]
    cues: tuple[Cue, ...]


def read_webvtt(path: Path) -> Captions:
    """Read a WebVTT file. Cues that are never shown are left out, comments too.

    Raises InputCorrupt for what is not WebVTT, and InputTooLarge.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLarge(f"the captions {path.name} have more than {MAX_BYTES >> 20} MiB")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputCorrupt(f"the captions {path.name} are not in UTF-8: convert them") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    head, *blocks = re.split(r"\n{2,}", text.strip("\n"))
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", head):
        raise InputCorrupt(f"the captions {path.name} are no WebVTT: its first line is `WEBVTT`")
    cues, styles = list[Cue](), list[str]()
    for block in blocks:
        cue = _cue(block.split("\n"))
        if cue is not None and cue.end_ms > cue.start_ms:
            cues.append(cue)
        elif re.match(r"(STYLE|REGION)[ \t]*\n", block):
            styles.append(block)
    return Captions(tuple(styles), tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))))


def _cue(lines: list[str]) -> Cue | None:
    for at, line in enumerate(lines[:2]):  # a name may stand before the times
        if found := _TIMES.match(line.strip()):
            name = lines[0].strip() if at else ""
            times, settings = found.groups(), found.group(9) or ""
            text = "\n".join(lines[at + 1 :])
            return Cue(_ms(times[:4]), _ms(times[4:8]), text, name, settings.strip())
    return None


def _ms(clock: Iterable[str | None]) -> int:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in clock)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def document(cues: Iterable[Spoken], length_s: float, styles: Iterable[str] = ()) -> str:
    """A WebVTT file of the cues that are shown within the first `length_s` seconds.

    Raises InputTooLarge where `read_webvtt` would refuse it.
    """
    end = round(length_s * 1000)
    shown = (
        Cue(max(0, cue.start_ms), min(cue.end_ms, end), _text(cue), cue.name, cue.settings)
        for cue in cues
        if cue.end_ms > 0 and cue.start_ms < end
    )
    text = "\n".join(("WEBVTT\n", *(f"{each}\n" for each in styles), *map(_block, shown)))
    if len(text.encode()) > MAX_BYTES:
        raise InputTooLarge(f"the captions take more than {MAX_BYTES >> 20} MiB as WebVTT")
    return text


def _text(cue: Spoken) -> str:
    """The words as WebVTT has them; of a transcript, runs of lines of one voice within its tag."""
    if cue.tagged:
        return cue.tagged
    lines = html.escape(cue.text, quote=False).split("\n")
    voiced = zip(cue.voices or ("",) * len(lines), lines, strict=True)
    spans = [
        (voice, "\n".join(line for _, line in run)) for voice, run in groupby(voiced, itemgetter(0))
    ]
    return "\n".join(
        f"<v {html.escape(v, quote=False)}>{words}</v>" if v else words for v, words in spans
    )


def segment(captions: Captions, start_ms: int, end_ms: int) -> str:
    """The segment from `start_ms` to `end_ms`: every cue that is shown in it, with its own times,
    so that one across an edge stands in both. Where nobody speaks it is empty but for its head."""
    shown = [each for each in captions.cues if each.start_ms < end_ms and each.end_ms > start_ms]
    return "\n".join(
        (_SEGMENT_HEAD, *(f"{each}\n" for each in captions.styles), *map(_block, shown))
    )


def _block(cue: Cue) -> str:
    times = " ".join(filter(None, (f"{clock(cue.start_ms)} --> {clock(cue.end_ms)}", cue.settings)))
    return "\n".join((*([cue.name] if cue.name else []), times, cue.text, ""))


def clock(milliseconds: int) -> str:
    """A time as WebVTT writes it, `00:01:02.345`."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{milliseconds:03}"
