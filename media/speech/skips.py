"""What a model passed over: a stretch of a window in which somebody speaks and no word was heard.

Where a phrase comes again soon, Whisper may go on behind its second coming and leave out all
between; the words behind are then stretched over the hole. Such a stretch is heard once more, on
its own. Pure rules on what was heard; the source of the numbers is decision 40.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from longtake.contracts.speech import RATE_HZ, Span, Window
from media.speech.guards import spoken_between
from media.speech.heard import Heard, HeardWord

PASSED_S = 2.0
"""Of speech without a word: nobody draws a breath for so long."""
LONGEST_WORD_S = 1.2
"""A word that takes longer is stretched over what was passed over."""
NEAR_S = 3.0
"""Holes that are nearer to each other are one: the words between them stand at a wrong time."""
MARGIN_S = 0.1
"""That is listened to around a hole."""
MORE = 3
"""So many other words must be found, or what was heard first stays: laughter is no speech."""
SURE = -0.7
"""Mean logarithm of probabilities: what is less sure was rightly passed over."""


@dataclass(frozen=True)
class Hole:
    """A stretch, in seconds of the source."""

    start_s: float
    end_s: float

    def holds(self, moment_s: float) -> bool:
        """Whether it lies in it."""
        return self.start_s <= moment_s < self.end_s

    def piece(self, window: Window) -> Span:
        """What is listened to, in samples."""
        first, end = (
            round((self.start_s - MARGIN_S) * RATE_HZ),
            round((self.end_s + MARGIN_S) * RATE_HZ),
        )
        return Span(first=max(window.first, first), end=min(window.end, end))


def holes(heard: Sequence[Heard], window: Window) -> tuple[Hole, ...]:
    """The stretches that were passed over, in order. None where nothing was heard at all: that was
    the answer."""
    words = _words(heard)
    if not words:
        return ()
    edges = [window.first / RATE_HZ]
    for word in words:
        edges += [word.start_s, min(word.end_s, word.start_s + LONGEST_WORD_S)]
    edges.append(window.end / RATE_HZ)
    found: list[Hole] = []
    for start_s, end_s in zip(edges[::2], edges[1::2], strict=True):
        if spoken_between(window.spans, start_s, end_s) < PASSED_S:
            continue
        if found and start_s - found[-1].end_s < NEAR_S:
            start_s = found.pop().start_s
        found.append(Hole(start_s, end_s))
    return tuple(found)


def filled(heard: Sequence[Heard], again: Iterable[Heard], hole: Hole) -> tuple[Heard, ...]:
    """What was heard, with what is heard in the hole when it is listened to alone; unchanged where
    that is no more, or not sure."""
    inside = [part for each in again if (part := _inside(each, hole)).words]
    found = _words(inside)
    lost = [word for word in _words(heard) if hole.holds(word.start_s)]
    if _different(found) < _different(lost) + MORE or 2 * _different(found) < len(found):
        return tuple(heard)
    return replaced(heard, inside, hole)


def replaced(heard: Iterable[Heard], inside: Iterable[Heard], hole: Hole) -> tuple[Heard, ...]:
    """What was heard, with `inside` in place of what stands in the hole."""
    kept = [part for each in heard for part in _around(each, hole) if part.words]
    return tuple(sorted((*kept, *inside), key=lambda each: each.words[0].start_s))


def _inside(heard: Heard, hole: Hole) -> Heard:
    words = heard.words if heard.avg_logprob > SURE else ()
    return heard.with_words(w for w in words if hole.holds((w.start_s + w.end_s) / 2))


def _around(heard: Heard, hole: Hole) -> tuple[Heard, Heard]:
    """What of it stands before the hole and behind; a word that began before was stretched."""
    before = (
        replace(word, end_s=min(word.end_s, hole.start_s))
        for word in heard.words
        if word.start_s < hole.start_s
    )
    behind = (word for word in heard.words if word.start_s >= hole.end_s)
    return heard.with_words(before), heard.with_words(behind)


def _words(heard: Iterable[Heard]) -> list[HeardWord]:
    return [word for each in heard for word in each.words]


def _different(words: Iterable[HeardWord]) -> int:
    return len({word.text.casefold().strip(" .,!?") for word in words})
