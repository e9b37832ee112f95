"""Captions for burning in: an ASS document of our own.

Nothing of the original but its words and times goes into it: no styles, fonts, drawings or
commands, which in ASS are a language of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path

from media.captions.cue import Cue

FONTS = Path(__file__).parents[1] / "fonts"
FONT = "DejaVu Sans"


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
