"""When captions are shown: with the words, long enough to be read, one after another.

All in ticks: whole frames of the film, or milliseconds where there is no picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from media.cues.breaks import COLUMNS_A_SECOND, LONGEST_S, SHORTEST_S

SHIFT_S = Fraction(1, 2)
"""How far a caption may be shown before or behind its words, so that it can be read."""


@dataclass(frozen=True)
class Said:
    """When the words of a caption are said, in ticks, and how many columns they have."""

    start: int
    end: int
    columns: int


def times(said: Sequence[Said], rate: Fraction, last: int) -> list[tuple[int, int]]:
    """Begin and end of each caption in ticks, `rate` of them a second; `last`: the recording's end.

    No two are shown at once, none is shown for more than 7 s, and none for less than 1 s, if the
    recording has that second for each. A caption that cannot be read as fast stays until its reader
    is done, at most `SHIFT_S` into the next one's words, or is shown that much early. Where
    that is not enough it is shown with its words all the same.
    """
    shortest, longest = math.ceil(SHORTEST_S * rate), math.floor(LONGEST_S * rate)
    shift, free, shown = math.floor(SHIFT_S * rate), 0, list[tuple[int, int]]()
    latest_starts = _latest_starts(said, shortest, shift)
    for number, one in enumerate(said):
        following = said[number + 1].start if number + 1 < len(said) else max(last, one.end)
        needs = max(shortest, math.ceil(one.columns * rate / COLUMNS_A_SECOND))
        start = max(one.start, free)
        latest = following
        if start + needs > following:
            latest = max(following, latest_starts[number + 1])
        if start + needs > latest:
            start = max(free, min(start, max(one.start - shift, latest - needs)))
        end = min(max(one.end, start + needs), latest)
        free = max(start + shortest, min(end, start + longest))
        shown.append((start, free))
    return _within(shown, shortest, last)


def _latest_starts(said: Sequence[Said], shortest: int, shift: int) -> list[int]:
    """When each caption must begin, and one behind the last must, so that none comes too late, nor
    those behind it, each of which is shown for a while."""
    found = [said[-1].end + shift] if said else []
    for one in reversed(said):
        found.append(min(one.start + shift, found[-1] - shortest))
    return found[::-1]


def _within(shown: list[tuple[int, int]], shortest: int, last: int) -> list[tuple[int, int]]:
    """The same, over when the recording is."""
    count = len(shown)
    if count * shortest > last:  # no second for each: they share what there is
        last = max(last, count)
        return [(last * n // count, last * (n + 1) // count) for n in range(count)]
    limit, kept = last, list[tuple[int, int]]()
    for number in reversed(range(count)):
        start, end = shown[number]
        end = min(end, limit)
        limit = max(number * shortest, min(start, end - shortest))
        kept.append((limit, end))
    return kept[::-1]
