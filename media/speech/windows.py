"""Windows of a recording that are transcribed on their own, and what of each is listened to.

Pure functions. Windows tile a channel; each border lies in the middle of a silence, the longest
that keeps windows below the bound. What is listened to are the spans with a little silence around:
long silences inside a window are left out, for models hear words in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from longtake.contracts.speech import RATE_HZ, Span, Window

LONGEST_S = 120.0
"""Of a window, from its first word to its last: what a killed worker repeats at most."""
PAD_S = 0.4
"""Silence that is listened to before and after a span, so that soft beginnings are not lost."""
KEPT_SILENCE_S = 6.0
"""A silence of less, inside a window, is listened to as it is: sentences hang together, and a model
that hears them come one upon the other takes them for repetitions (decision 40)."""
HEARD_S = 30.0
"""Whisper hears half a minute at a time."""


def plan_windows(
    spans: Sequence[Span], samples: int, *, channel: int = 0, longest_s: float = LONGEST_S
) -> tuple[Window, ...]:
    """The windows of a channel of so many samples, in order; none where nobody speaks.

    A window of more than `longest_s` seconds of speech and pauses has one span alone.
    """
    groups = _groups(spans, round(longest_s * RATE_HZ))
    if not groups:
        return ()
    borders = [0, *((a[-1].end + b[0].first) // 2 for a, b in pairwise(groups)), samples]
    return tuple(
        Window(channel=channel, first=first, end=end, spans=group)
        for (first, end), group in zip(pairwise(borders), groups, strict=True)
    )


def _groups(spans: Sequence[Span], longest: int) -> list[tuple[Span, ...]]:
    groups = []
    begin = 0
    while begin < len(spans):
        end = _border(spans, begin, longest)
        groups.append(tuple(spans[begin:end]))
        begin = end
    return groups


def _border(spans: Sequence[Span], begin: int, longest: int) -> int:
    """The span that the next window begins with: behind the longest silence of the second half of
    the room there is, so that no window is short without need."""
    start = spans[begin].first
    last = begin + 1
    while last < len(spans) and spans[last].end - start <= longest:
        last += 1
    if last == len(spans):
        return last
    late = [at for at in range(begin + 1, last + 1) if spans[at - 1].end - start >= longest // 2]
    return max(late or [last], key=lambda at: (spans[at].first - spans[at - 1].end, at))


def listened(window: Window) -> tuple[Span, ...]:
    """What of a window is listened to, in order.

    A silence in which two windows meet is as one inside: of a short one, each listens to its half.
    Silero misses words, and the more of them are lost the less is heard beside its spans.
    """
    pad, kept = round(PAD_S * RATE_HZ), round(KEPT_SILENCE_S * RATE_HZ)
    pieces: list[Span] = []
    before = window.first - kept // 2
    for span in window.spans:
        near = span.first - before <= kept
        first = span.first - pad
        if near:
            first = pieces.pop().first if pieces else window.first
        pieces.append(Span(first=max(window.first, first), end=min(window.end, span.end + pad)))
        before = span.end
    last = pieces.pop()
    near = window.end + kept // 2 - before <= kept
    return (*pieces, Span(first=last.first, end=window.end if near else last.end))


def half_minutes(window: Window) -> Iterator[tuple[Span, ...]]:
    """What of a window is listened to, in the half minutes that Whisper hears; the last one is
    shorter."""
    longest = round(HEARD_S * RATE_HZ)
    part: list[Span] = []
    left = longest
    for piece in listened(window):
        first = piece.first
        while first < piece.end:
            end = min(piece.end, first + left)
            part.append(Span(first=first, end=end))
            first, left = end, left - (end - first)
            if not left:
                yield tuple(part)
                part, left = [], longest
    if part:
        yield tuple(part)


class Clock:
    """From the time of what was listened to, to the time of the source. Seconds."""

    def __init__(self, pieces: Sequence[Span]) -> None:
        self._pieces = pieces

    def source(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Beginning and end of a word, both in the piece that holds its middle."""
        middle = (start_s + end_s) / 2 * RATE_HZ
        before = 0
        for piece in self._pieces[:-1]:
            if middle < before + piece.samples:
                break
            before += piece.samples
        else:
            piece = self._pieces[-1]
        shift = piece.first - before
        low, high = piece.first / RATE_HZ, piece.end / RATE_HZ
        moved = (s + shift / RATE_HZ for s in (start_s, end_s))
        start, end = (round(min(max(s, low), high), 3) for s in moved)
        return start, end
