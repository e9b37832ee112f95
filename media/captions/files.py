"""Captions in files: SRT, WebVTT and ASS."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from longtake.errors import InputTooLarge, InputUnsupported
from media.captions import cue_style
from media.captions.ass import beyond, is_ass, losses, read_events, read_looks
from media.captions.cue import Cue, Cues, cue, ordered
from media.captions.cue_colour import styles_of
from media.captions.cue_text import from_tags
from media.probing.formats import open_for_reading

MAX_BYTES = 10 << 20

_CLOCK = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_SPAN = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(.*)")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_file(path: Path) -> Cues:
    """The cues of an SRT, WebVTT or ASS file. None are there where WebVTT says so: a transcript of
    a film in which nobody speaks.

    Raises InputNotFound, InputForbidden, InputUnsupported, InputCorrupt, InputTooLarge.
    """
    open_for_reading(path)
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLarge(f"the captions {path} have more than {MAX_BYTES >> 20} MiB")
    text = _decoded(path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    styles, regions, lost = head(lines)
    cues = list(_ass_cues(lines) if is_ass(lines) else _cues_of_blocks(lines, regions))
    if is_ass(lines):
        events = (line for line in lines if line.startswith("Dialogue:"))
        lost = losses(set[str]().union(*map(beyond, events)), lines)
    if not cues and not _is_webvtt(lines):
        raise InputUnsupported(f"{path} holds no captions: SRT, WebVTT and ASS are read")
    if not _is_webvtt(lines):
        styles = styles_of(each.tagged for each in cues)
    return ordered(cues, str(path), styles, lost)


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-16" if data.startswith(_WIDE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputUnsupported(
            f"the captions {path} are not in UTF-8: convert them, for example with "
            "`iconv -f windows-1252 -t utf-8`, and look whether all letters are right"
        ) from error


def _is_webvtt(lines: Sequence[str]) -> bool:
    return bool(lines) and lines[0].startswith("WEBVTT")


def head(lines: Sequence[str]) -> tuple[tuple[str, ...], frozenset[str], tuple[str, ...]]:
    """The blocks of styles and regions of a WebVTT file, the ids of the regions, and what is lost
    of both. They stand before the first cue (W3C WebVTT, 4.1)."""
    if not _is_webvtt(lines):
        return (), frozenset(), ()
    first = next((at for at, line in enumerate(lines) if "-->" in line), len(lines))
    styles, regions, lost = list[str](), set[str](), tuple[str, ...]()
    for block in re.split(r"\n{2,}", "\n".join(lines[:first])):
        kind, *rest = block.split("\n")
        if kind.strip() == "STYLE":
            style = cue_style.style(rest)
            styles += [style] if style else []
            lost = lost if style else ("styles that name files or conditions",)
        elif kind.strip() == "REGION" and (region := cue_style.region(rest)):
            regions.add(region[0])
            styles.append(region[1])
    if sum(map(len, styles)) > cue_style.MAX_STYLES:
        return (), frozenset(), (f"styles of more than {cue_style.MAX_STYLES >> 10} KiB",)
    return tuple(styles), frozenset(regions), lost


def _cues_of_blocks(lines: Sequence[str], regions: Collection[str]) -> Iterator[Cue]:
    """SRT and WebVTT: a line with the times, then the words up to an empty line."""
    at = 0
    while at < len(lines):
        found = _SPAN.match(lines[at])
        at += 1
        if not found:
            continue
        name = cue_style.name(lines[at - 2]) if at > 1 and _is_webvtt(lines) else ""
        said = []
        while at < len(lines) and lines[at].strip():
            said.append(lines[at])
            at += 1
        text, alignment = from_tags("\n".join(said))
        settings = cue_style.settings(found[9], regions) or cue_style.aligned(alignment)
        yield from _timed(found.groups(), text, settings, name)


def _ass_cues(lines: Sequence[str]) -> Iterator[Cue]:
    for event in read_events(lines, read_looks(lines)):
        if span := _SPAN.match(event.times):
            yield from _timed(span.groups(), event.text, cue_style.aligned(event.alignment))


def _timed(
    times: Sequence[str | None], tagged: str, settings: str, name: str = ""
) -> Iterator[Cue]:
    """`times`: as `_SPAN` finds them."""
    yield from cue(_ms(times[:4]), _ms(times[4:8]), tagged, settings, name)


def _ms(clock: Sequence[str | None]) -> int:
    hours, minutes, seconds, part = (each or "0" for each in clock)
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(part.ljust(3, "0"))
