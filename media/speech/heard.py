"""What a model heard in a window: words with times and likelihoods, not yet a transcript."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from longtake.contracts.transcript import Segment, Word
from media.speech.windows import Clock


@dataclass(frozen=True)
class HeardWord:
    """A word, with the space before it, if it has one. Times in seconds of the source."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True)
class Heard:
    """A segment as the model tells it. The likelihoods are those of the half minute it is in."""

    words: tuple[HeardWord, ...]
    avg_logprob: float
    """Mean logarithm of the probabilities of the tokens."""
    no_speech_prob: float
    """How likely nobody speaks."""
    compression_ratio: float
    """How much smaller the text is compressed: what repeats itself has a high one."""
    circled: bool = False
    """Whether the likeliest text ran in circles, so that this may be another one."""

    def with_words(self, words: Iterable[HeardWord]) -> Heard:
        """The same with other words."""
        return replace(self, words=tuple(words))


def read_answer(answer: Sequence[dict[str, Any]], clock: Clock) -> tuple[Heard, ...]:
    """What the child answered, with the times of the source."""
    return tuple(
        Heard(
            tuple(
                HeardWord(*clock.source(start, end), text, probability)
                for start, end, text, probability in segment["words"]
            ),
            segment["avg_logprob"],
            segment["no_speech_prob"],
            segment["compression_ratio"],
            segment["circled"],
        )
        for segment in answer
    )


def as_segments(heard: Iterable[Heard]) -> tuple[Segment, ...]:
    """Segments of a transcript; one without words is left out."""
    return tuple(_segment(each) for each in heard if each.words)


def _segment(heard: Heard) -> Segment:
    words = tuple(
        Word(
            start_s=word.start_s,
            end_s=word.end_s,
            text=word.text.strip(),
            confidence=round(word.probability, 3),
        )
        for word in heard.words
    )
    return Segment(
        start_s=words[0].start_s,
        end_s=max(word.end_s for word in words),
        text="".join(word.text for word in heard.words).strip(),
        words=words,
        confidence=round(sum(word.probability for word in heard.words) / len(words), 3),
    )
