"""What a model went round in circles over: heard once more, sentence by sentence.

Where a phrase comes again and again, it may be a slip, with which the model fills half a minute; or
somebody says it. Whisper does not tell: kept from repeating itself, it makes of a Monday that is
said six times every day of the week. A sentence that is heard on its own has nothing to repeat.
Pure rules on what was heard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from longtake.contracts.speech import RATE_HZ, Span, Window
from media.speech.heard import Heard
from media.speech.skips import LONGEST_WORD_S, SURE, Hole, replaced

PAUSE_S = 0.3
"""Behind a sentence, at least."""
PAD_S = 0.4
"""Silence that is listened to before and behind a sentence, where there is so much."""


def circles(heard: Sequence[Heard], window: Window) -> tuple[Hole, ...]:
    """The stretches over which the model ran in circles, in order: each from the last word in
    front of it to the first one behind."""
    runs = [(circled, list(run)) for circled, run in groupby(heard, lambda each: each.circled)]
    ends = [window.first / RATE_HZ, *(_end_s(run) for _, run in runs)]
    starts = [*(run[0].words[0].start_s for _, run in runs), window.end / RATE_HZ]
    return tuple(
        Hole(min(ends[number], starts[number]), starts[number + 1])
        for number, (circled, _) in enumerate(runs)
        if circled
    )


def _end_s(run: Sequence[Heard]) -> float:
    last = run[-1].words[-1]
    return min(last.end_s, last.start_s + LONGEST_WORD_S)


def sentences(circle: Hole, window: Window) -> tuple[Span, ...]:
    """What is listened to of each sentence in the stretch."""
    spoken = _sentences(window.spans)
    edges = [
        window.first,
        *((one.end + other.first) // 2 for one, other in pairwise(spoken)),
        window.end,
    ]
    pad = round(PAD_S * RATE_HZ)
    return tuple(
        Span(first=max(low, each.first - pad), end=min(high, each.end + pad))
        for each, (low, high) in zip(spoken, pairwise(edges), strict=True)
        if circle.holds((each.first + each.end) / 2 / RATE_HZ)
    )


def _sentences(spans: Sequence[Span]) -> list[Span]:
    found: list[Span] = []
    for span in spans:
        near = found and span.first - found[-1].end < PAUSE_S * RATE_HZ
        first = found.pop().first if near else span.first
        found.append(Span(first=first, end=span.end))
    return found


def retold(
    heard: Sequence[Heard], again: Mapping[Span, Sequence[Heard]], circle: Hole
) -> tuple[Heard, ...]:
    """What was heard, with what each sentence of the stretch is on its own, where the model is
    sure of that."""
    sure = {
        sentence: [each for each in told if each.avg_logprob > SURE]
        for sentence, told in again.items()
    }
    if not any(sure.values()):
        return tuple(heard)
    inside = [
        each
        for sentence, told in sure.items()
        for each in told or [_within(each, sentence) for each in heard]
    ]
    return replaced(heard, [each for each in inside if each.words], circle)


def _within(heard: Heard, sentence: Span) -> Heard:
    span = Hole(sentence.first / RATE_HZ, sentence.end / RATE_HZ)
    return heard.with_words(w for w in heard.words if span.holds((w.start_s + w.end_s) / 2))
