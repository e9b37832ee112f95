"""No text where nobody speaks: what models make up in noise, music and silence is left out.

Pure rules on what was heard. The first line of defence is elsewhere: only what Silero takes for
speech is listened to at all (`media.speech.windows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from longtake.contracts.speech import RATE_HZ, Span
from media.speech.heard import Heard, HeardWord

NO_SPEECH = 0.6
UNLIKELY = -1.0
"""OpenAI's own bounds: where nobody seems to speak and the words are unlikely, there are none."""
LOOP = 2.4
"""Of the compression ratio, OpenAI's bound: text beyond it runs in circles."""
LEAD_S, TAIL_S = 0.1, 0.2
"""A word that Whisper lets begin in a silence begins so long before the speech it reaches into, and
one that it lets end in a silence ends so long behind: Silero finds edges, Whisper guesses them."""
LEAST_OVERLAP = 0.1
"""Of a segment's time that somebody must speak in."""


def guarded(heard: Iterable[Heard], spans: Sequence[Span]) -> tuple[Heard, ...]:
    """What is left of what was heard in a window where somebody speaks in these spans."""
    kept = (unlooped(each) for each in heard if not is_made_up(each))
    spoken = (each for each in kept if each.words and is_spoken(each, spans))
    return tuple(each.with_words(_hug(word, spans) for word in each.words) for each in spoken)


def is_made_up(heard: Heard) -> bool:
    """Whether the model itself hardly believes it."""
    return heard.no_speech_prob > NO_SPEECH and heard.avg_logprob < UNLIKELY


def is_spoken(heard: Heard, spans: Sequence[Span]) -> bool:
    """Whether somebody speaks while it is said."""
    start, end = heard.words[0].start_s, max(word.end_s for word in heard.words)
    return spoken_between(spans, start, end) >= LEAST_OVERLAP * (end - start)


def spoken_between(spans: Iterable[Span], start_s: float, end_s: float) -> float:
    """For how long somebody speaks between two moments; all in seconds."""
    return sum(
        max(0.0, min(end_s, span.end / RATE_HZ) - max(start_s, span.first / RATE_HZ))
        for span in spans
    )


def _hug(word: HeardWord, spans: Sequence[Span]) -> HeardWord:
    touched = [
        (span.first / RATE_HZ, span.end / RATE_HZ)
        for span in spans
        if span.first < word.end_s * RATE_HZ and span.end > word.start_s * RATE_HZ
    ]
    if not touched:
        return word
    start = max(word.start_s, round(touched[0][0] - LEAD_S, 3))
    end = min(word.end_s, round(touched[-1][1] + TAIL_S, 3))
    return replace(word, start_s=start, end_s=end)


def unlooped(heard: Heard) -> Heard:
    """Of a phrase that a model repeats for want of anything else, only the first."""
    if heard.compression_ratio <= LOOP:
        return heard
    return heard.with_words(_once(heard.words))


def _once(words: Sequence[HeardWord]) -> Iterator[HeardWord]:
    at = 0
    plain = [word.text.strip().casefold().strip(".,!?;:") for word in words]
    while at < len(words):
        for length in range(1, (len(words) - at) // 2 + 1):
            phrase = plain[at : at + length]
            behind = at + length
            while plain[behind : behind + length] == phrase:
                behind += length
            if behind - at >= 3 * length:
                yield from words[at : at + length]
                at = behind
                break
        else:
            yield words[at]
            at += 1
