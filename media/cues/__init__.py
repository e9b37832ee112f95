"""Captions of a transcript: two short lines, time to read them, breaks at clauses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from longtake.contracts.transcript import Segment, Transcript
from media.captions.cue import Cue
from media.cues.breaks import LONGEST_S, SHORTEST_S, lines, openers, text
from media.cues.letters import width
from media.cues.pieces import LINE, pieces
from media.cues.times import Said, times

PAUSE_S = 1.5
"""No caption reaches over a longer pause."""
_DASH = "- "


@dataclass(frozen=True)
class _Caption:
    """Lines, who says each of them, and when, in seconds."""

    start_s: Fraction
    end_s: Fraction
    lines: tuple[str, ...]
    voices: tuple[str, ...]


def layout(
    transcript: Transcript,
    frame_rate: Fraction | None = None,
    first_frame_s: Fraction = Fraction(),
) -> tuple[Cue, ...]:
    """The captions of a transcript, in order, no two at once.

    At most two lines of 42 columns, a wide character counting for two; 1 to 7 s; at most 20
    columns a second, unless speech is faster (`docs/transcribe.md` says what yields then). With
    `frame_rate` each begins and ends with a frame of the film, of which the first is shown at
    `first_frame_s`; or where frames would be, before the first and behind the last.
    """
    opening = openers(transcript.language.code)
    found = [one for run in _runs(transcript.segments) for one in _captions(run, opening)]
    found = list(_dialogues(sorted(found, key=lambda one: one.start_s)))
    rate = frame_rate or Fraction(1000)
    first_s = first_frame_s % (1 / rate) if frame_rate else Fraction()

    def tick(time_s: Fraction) -> int:
        return max(0, round((time_s - first_s) * rate))

    said = [Said(tick(one.start_s), tick(one.end_s), width(" ".join(one.lines))) for one in found]
    last = math.floor((Fraction(str(transcript.duration_s)) - first_s) * rate)
    return tuple(
        # The frame is shown at this time or less than a millisecond later, never before.
        Cue(
            start_ms=math.floor((start / rate + first_s) * 1000),
            end_ms=math.floor((end / rate + first_s) * 1000),
            text="\n".join(one.lines),
            voices=one.voices if any(one.voices) else (),
        )
        for one, (start, end) in zip(found, times(said, rate, last), strict=True)
    )


def _runs(segments: Iterable[Segment]) -> Iterator[tuple[Segment, ...]]:
    """What a speaker says without a long pause, until another one speaks."""
    run: list[Segment] = []
    for segment in sorted(segments, key=lambda each: each.start_s):
        if run and (
            segment.speaker != run[-1].speaker or segment.start_s - run[-1].end_s > PAUSE_S
        ):
            yield tuple(run)
            run = []
        run.append(segment)
    if run:
        yield tuple(run)


def _captions(run: Sequence[Segment], opening: frozenset[str]) -> Iterator[_Caption]:
    words, begin = pieces(run), 0
    for first, count in lines(words, opening):
        own = words[begin : begin + count]
        begin += count
        shown = tuple(text(line) for line in (own[:first], own[first:]) if line)
        voices = (run[0].speaker or "",) * len(shown)
        yield _Caption(own[0].start_s, max(piece.end_s for piece in own), shown, voices)


def _dialogues(found: Iterable[_Caption]) -> Iterator[_Caption]:
    """Two speakers who leave each other no second share a caption: one line each, with a dash."""
    held: _Caption | None = None
    for one in found:
        if held and _share(held, one):
            both = (f"{_DASH}{held.lines[0]}", f"{_DASH}{one.lines[0]}")
            end_s = max(held.end_s, one.end_s)
            yield _Caption(held.start_s, end_s, both, (*held.voices, *one.voices))
            held = None
            continue
        if held:
            yield held
        held = one
    if held:
        yield held


def _share(one: _Caption, other: _Caption) -> bool:
    return (
        one.voices != other.voices
        and len(one.lines) == len(other.lines) == 1
        and max(width(one.lines[0]), width(other.lines[0])) <= LINE - len(_DASH)
        and other.start_s - one.start_s < SHORTEST_S
        and max(one.end_s, other.end_s) - one.start_s <= LONGEST_S
    )
