"""Captions of a film, wherever they are from. WebVTT is written of them by `webvtt`, and an
ASS document for burning in by `burnt_in`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import accumulate

from longtake.contracts.base import Contract
from longtake.errors import InputTooLarge
from media.captions.cue_text import words

MAX_CUES = 50_000
MAX_WEIGHT = 128 << 20
"""Bytes. Captions of two hours take less than one MiB; 20,000 at once took 4 GiB of memory."""
_BOXES = 50
"""Bytes around a cue in MP4."""


class Cue(Contract):
    """A few words, and when they are shown, in milliseconds from the film's start."""

    start_ms: int
    end_ms: int
    text: str
    voices: tuple[str, ...] = ()
    """Of a transcript: who says each of its lines, "" where nobody tells; empty where nobody tells
    of any."""
    tagged: str = ""
    """Of a file or a stream: the text as WebVTT has it."""
    settings: str = ""
    """Of WebVTT: where it is drawn."""
    name: str = ""
    """Of WebVTT, by which a style may call it."""


class Cues(Contract):
    """All captions of a film, in the order of their start."""

    cues: tuple[Cue, ...]
    styles: tuple[str, ...] = ()
    """Of WebVTT: its blocks of styles and regions."""
    lost: tuple[str, ...] = ()
    """What else the file or stream asks for and WebVTT, as it is written here, does not have."""

    def warnings(self, whose: str) -> tuple[str, ...]:
        """What people are told of it, if anything was left out; `whose` names the captions."""
        if not self.lost:
            return ()
        return (f"{whose} came without all that it asks for; left out: {', '.join(self.lost)}",)


def cue(start: int, end: int, tagged: str, settings: str = "", name: str = "") -> Iterator[Cue]:
    """The cue with this text, unless there is nothing to see of it."""
    text = words(tagged)
    if text and end > start:
        yield Cue(
            start_ms=start, end_ms=end, text=text, tagged=tagged, settings=settings, name=name
        )


def ordered(
    cues: list[Cue], name: str, styles: tuple[str, ...] = (), lost: tuple[str, ...] = ()
) -> Cues:
    """All cues of a file or stream of this name. Raises InputTooLarge."""
    if len(cues) > MAX_CUES:
        raise InputTooLarge(f"{name} has {len(cues)} captions; at most {MAX_CUES} are read")
    if _weight(cues) > MAX_WEIGHT:
        raise InputTooLarge(
            f"{name} has so many captions at once that nobody can read them: are their times right?"
        )
    in_order = sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))
    return Cues(cues=tuple(in_order), styles=styles, lost=lost)


def _weight(cues: Iterable[Cue]) -> int:
    """Bytes that a package takes at least, and what they cost to make: wherever another cue begins
    or ends, and in each segment, all that are shown are written again."""
    changes = defaultdict[int, int](int)
    whole = 0
    for each in cues:
        size = len(each.tagged) + _BOXES
        changes[each.start_ms] += size
        changes[each.end_ms] -= size
        whole += size * ((each.end_ms - each.start_ms) // 1000)
    return whole + sum(accumulate(changes[time] for time in sorted(changes)))


def earlier(cues: Iterable[Cue], by_s: Fraction) -> tuple[Cue, ...]:
    """The cues on a clock whose zero lies `by_s` seconds later."""
    by = round(by_s * 1000)
    times = ((cue, cue.start_ms - by, cue.end_ms - by) for cue in cues)
    return tuple(
        cue.model_copy(update={"start_ms": start, "end_ms": end}) for cue, start, end in times
    )


def without_braces(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Cues for a track that FFmpeg makes of WebVTT: of `{` it makes a command of ASS, and writes
    that into MP4 (measured)."""
    for cue in cues:
        tagged = cue.tagged.replace("{", "(").replace("}", ")")
        yield cue.model_copy(update={"tagged": tagged})
