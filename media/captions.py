"""Captions for burning in: read from SRT, WebVTT or ASS, or from a text stream of the source,
and written again as an ASS document of our own.

Nothing of the original but its words and times goes into the document: no styles, fonts,
drawings or commands, which in ASS are a language of their own.
"""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from longtake.contracts.base import Contract
from longtake.errors import InputCorrupt, InputTooLarge, InputUnsupported, InvalidJob
from media.formats import READER_OPTIONS, open_for_reading, sniff
from media.isolate import in_child

MAX_BYTES = 10 << 20
MAX_CUES = 50_000
FONTS = Path(__file__).with_name("fonts")
FONT = "DejaVu Sans"

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_SPAN = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>|</v>")
_UNSEEN = frozenset("\u200c\u200d\u200e\u200f\u061c\u2066\u2067\u2068\u2069")
_TEXT_CODECS = {"subrip": "plain", "srt": "plain", "text": "plain", "webvtt": "plain"} | {
    "ass": "ass",
    "ssa": "ass",
    "mov_text": "mov_text",
}


class Cue(Contract):
    """A few words, and when they are shown, in milliseconds from the film's start."""

    start_ms: int
    end_ms: int
    text: str
    voices: tuple[str, ...] = ()
    """Who says each of its lines, "" where nobody tells; empty where nobody tells of any."""


class Cues(Contract):
    """All captions of a film, in the order of their start."""

    cues: tuple[Cue, ...]


def read_file(path: Path) -> Cues:
    """The cues of an SRT, WebVTT or ASS file. None are there where WebVTT says so: a transcript of
    a film in which nobody speaks.

    Raises InputNotFound, InputForbidden, InputUnsupported, InputCorrupt, InputTooLarge.
    """
    open_for_reading(path)
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLarge(f"the captions {path} have more than {MAX_BYTES >> 20} MiB")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputUnsupported(f"the captions {path} are not in UTF-8: convert them") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    is_ass = any(line.strip().lower() == "[events]" for line in lines)
    cues = list(_ass_cues(lines) if is_ass else _cues_of_blocks(lines))
    if not cues and not lines[0].startswith("WEBVTT"):
        raise InputUnsupported(f"{path} holds no captions: SRT, WebVTT and ASS are read")
    return _ordered(cues, str(path))


def _ordered(cues: list[Cue], name: str) -> Cues:
    if len(cues) > MAX_CUES:
        raise InputTooLarge(f"{name} has {len(cues)} captions; at most {MAX_CUES} are burnt in")
    return Cues(cues=tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))))


def _cues_of_blocks(lines: list[str]) -> Iterator[Cue]:
    """SRT and WebVTT: a line with the times, then the words up to an empty line."""
    at = 0
    while at < len(lines):
        found = _SPAN.match(lines[at])
        at += 1
        if not found:
            continue
        words = []
        while at < len(lines) and lines[at].strip():
            words.append(lines[at])
            at += 1
        yield from _cue(_ms(found.groups()[:4]), _ms(found.groups()[4:]), "\n".join(words))


def _ass_cues(lines: list[str]) -> Iterator[Cue]:
    fields: list[str] = []
    for line in lines:
        name, _, rest = line.partition(":")
        if name.strip() == "Format":
            fields = [field.strip().lower() for field in rest.split(",")]
        elif name.strip() == "Dialogue" and {"start", "end", "text"} <= set(fields):
            values = dict(zip(fields, rest.split(",", len(fields) - 1), strict=False))
            span = _SPAN.match(f"{values.get('start', '')} --> {values.get('end', '')}")
            if span:
                times = span.groups()
                yield from _cue(_ms(times[:4]), _ms(times[4:]), _ass_words(values.get("text", "")))


def _ass_words(text: str) -> str:
    if re.search(r"\{[^}]*\\p[1-9]", text):
        return ""  # a drawing
    return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")


def _ms(clock: tuple[str | Any, ...]) -> int:
    hours, minutes, seconds, part = clock
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1000 + int(part.ljust(3, "0"))


def _cue(start: int, end: int, text: str) -> Iterator[Cue]:
    lines = list(_voiced_lines(text))
    if lines and end > start:
        words, voices = "\n".join(line for line, _ in lines), tuple(voice for _, voice in lines)
        yield Cue(start_ms=start, end_ms=end, text=words, voices=voices if any(voices) else ())


def _voiced_lines(text: str) -> Iterator[tuple[str, str]]:
    """The lines and who says each, by WebVTT's voice tags; two voices never share a line."""
    first, *rest = _VOICE.split(text)
    for voice, said in ((None, first), *zip(rest[::2], rest[1::2], strict=True)):
        name = plain(voice or "").replace("\n", " ")
        yield from ((line, name) for line in plain(said).split("\n") if line)


def plain(text: str) -> str:
    """Words and line ends alone, without tags, and with nothing that ASS would obey."""
    text = re.sub(r"\{[^}]*\}|</?[A-Za-z][^>]*>|<\d[^>]*>", "", text)
    text = html.unescape(text).translate({ord("{"): "(", ord("}"): ")", ord("\\"): "/"})
    return "\n".join(line for line in map(shown, text.split("\n")) if line)


def shown(line: str) -> str:
    """What of a line is shown, with plain spaces, one between two words.

    Kept, though they are not seen: what joins letters in Persian, in the scripts of India and
    in emoji, and what orders words that are written from right to left.
    """
    kept = (c for c in " ".join(line.split()) if c.isprintable() or c in _UNSEEN)
    return "".join(kept).strip()


async def read_captions(path: Path, stream: int | None, origin: Fraction) -> Cues:
    """The cues of a caption file, or of a text stream of a film that begins at `origin`; read in
    a child. Raises what the two below and `in_child` raise."""
    if stream is None:
        return await in_child(read_file, path)
    return await in_child(read_stream, str(path), stream, origin)


def earlier(cues: Iterable[Cue], by_s: Fraction) -> tuple[Cue, ...]:
    """The cues on a clock whose zero lies `by_s` seconds later."""
    by = round(by_s * 1000)
    times = ((cue, cue.start_ms - by, cue.end_ms - by) for cue in cues)
    return tuple(
        cue.model_copy(update={"start_ms": start, "end_ms": end}) for cue, start, end in times
    )


def read_stream(path: str, number: int, origin: Fraction) -> Cues:
    """The cues of a text stream; `origin` is the film's start on the file's own clock.

    Opens an untrusted file: to be run in a child. Raises InvalidJob for another kind of stream.
    """
    import av

    demuxer = sniff(Path(path))
    with av.open(f"file:{path}", format=demuxer, options=READER_OPTIONS) as container:
        if number >= len(container.streams):
            raise InvalidJob(f"captions.stream {number}: the source has no such stream")
        stream: Any = container.streams[number]
        codec = stream.codec_context.name if stream.codec_context else "unknown"
        # PyAV knows no codec for some WebVTT in Matroska: then the packets must prove to be text.
        nameless = stream.type == "subtitle" and stream.codec_context is None
        kind = "plain" if nameless else _TEXT_CODECS.get(codec)
        if kind is None:
            raise InvalidJob(
                f"captions.stream {number} is {stream.type} ({codec}); text streams are burnt in: "
                "SubRip, WebVTT, ASS, and MP4's own"
            )
        try:
            cues = [c for p in container.demux(stream) for c in _of_packet(p, kind, origin)]
        except UnicodeDecodeError as error:
            raise InvalidJob(f"captions.stream {number} of {path} is no text in UTF-8") from error
    if not cues:
        raise InputCorrupt(f"captions.stream {number} of {path} holds no words")
    return _ordered(cues, f"captions.stream {number}")


def _of_packet(packet: Any, kind: str, origin: Fraction) -> Iterator[Cue]:
    data = bytes(packet)
    if not data or packet.pts is None or not packet.duration:
        return
    if kind == "mov_text":
        data = data[2 : 2 + struct.unpack_from(">H", data)[0]] if len(data) > 2 else b""
    text = data.decode("utf-8")
    if kind == "ass":
        text = _ass_words(text.split(",", 8)[-1])
    start = (packet.pts * packet.time_base - origin) * 1000
    yield from _cue(round(start), round(start + packet.duration * packet.time_base * 1000), text)


def ass_document(
    cues: Iterable[Cue], canvas: tuple[int, int], size: float, shift_ms: int, white: Fraction
) -> str:
    """An ASS document for a picture of the size `canvas`, its clock `shift_ms` behind the cues'.

    `size` is of a line, in heights of the picture; `white` the code of white, 1 in SDR.
    """
    width, height = canvas
    grey = f"{round(255 * white):02X}" * 3
    style = (
        f"Style: Default,{FONT},{max(8, round(height * size))},&H00{grey},&H00000000,&H00000000,"
        f"0,0,1,{max(1, round(height * size / 16))},0,2,"
        f"{width // 16},{width // 16},{height // 20},1"
    )
    events = [
        f"Dialogue: 0,{_ass_time(cue.start_ms - shift_ms)},{_ass_time(cue.end_ms - shift_ms)},"
        f"Default,{cue.text.replace(chr(10), chr(92) + 'N')}"
        for cue in cues
        if cue.end_ms > shift_ms
    ]
    head = (*_HEAD, f"PlayResX: {width}", f"PlayResY: {height}", "")
    return "\n".join((*head, *_STYLES, style, "", *_EVENTS, *events, ""))


_HEAD = ("[Script Info]", "ScriptType: v4.00+", "WrapStyle: 0", "ScaledBorderAndShadow: yes")
_STYLES = (
    "[V4+ Styles]",
    "Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, Bold, Italic, "
    "BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding",
)
_EVENTS = ("[Events]", "Format: Layer, Start, End, Style, Text")


def _ass_time(ms: int) -> str:
    hundredths = max(0, round(Fraction(ms, 10)))
    seconds, hundredths = divmod(hundredths, 100)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}.{hundredths:02}"


def unknown_letters(cues: Iterable[Cue]) -> str:
    """Letters that the font does not have, in the order in which they come, each once."""
    known = _letters()
    wanted = dict.fromkeys(c for cue in cues for c in cue.text if c.isprintable() and c != " ")
    return "".join(c for c in wanted if ord(c) not in known)


@cache
def _letters() -> frozenset[int]:
    """The characters of the font: its `cmap`, format 12 (OpenType, section cmap)."""
    data = (FONTS / "DejaVuSans.ttf").read_bytes()
    tables = struct.unpack_from(">H", data, 4)[0]
    entries = (struct.unpack_from(">4sIII", data, 12 + 16 * n) for n in range(tables))
    start = next(offset for name, _, offset, _ in entries if name == b"cmap")
    found: set[int] = set()
    for n in range(struct.unpack_from(">H", data, start + 2)[0]):
        at = start + struct.unpack_from(">I", data, start + 8 + 8 * n)[0]
        if struct.unpack_from(">H", data, at)[0] == 12:
            for group in range(struct.unpack_from(">I", data, at + 12)[0]):
                first, last, _ = struct.unpack_from(">III", data, at + 16 + 12 * group)
                found.update(range(first, last + 1))
    return frozenset(found)
