"""What is said again and again is written down as often; a model that runs in circles is not
believed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from longtake.contracts.speech import RATE_HZ, Span, Window
from media.speech.circles import circles, retold, sentences
from media.speech.heard import Heard, HeardWord


def said(text: str, start_s: float, *, circled: bool = False, logprob: float = -0.3) -> Heard:
    """A word each half second."""
    words = tuple(
        HeardWord(start_s + n / 2, start_s + n / 2 + 0.4, f" {word}", 0.9)
        for n, word in enumerate(text.split())
    )
    return Heard(words, logprob, 0.1, 1.2, circled)


def window(*spoken: tuple[float, float]) -> Window:
    """Of half a minute, in which somebody speaks so."""
    spans = tuple(Span(first=round(a * RATE_HZ), end=round(b * RATE_HZ)) for a, b in spoken)
    return Window(channel=0, first=0, end=30 * RATE_HZ, spans=spans)


def texts(heard: Sequence[Heard]) -> list[str]:
    return [" ".join(word.text.strip() for word in each.words) for each in heard]


TALK = window((1, 2), (5, 6), (9, 9.5), (9.6, 10), (14, 15))
HEARD = (
    said("Good morning", 1),
    said("on Monday", 4, circled=True),
    said("on Tuesday", 8, circled=True),
    said("Good bye", 14),
)


def test_the_stretch_reaches_from_what_is_sure_to_what_is_sure() -> None:
    (circle,) = circles(HEARD, TALK)
    assert (circle.start_s, circle.end_s) == pytest.approx((1.9, 14))
    (all_of_it,) = circles(HEARD[1:3], TALK)
    assert (all_of_it.start_s, all_of_it.end_s) == (0, 30)
    assert not circles((HEARD[0], HEARD[3]), TALK)
    assert not circles((), TALK)


def test_its_sentences_are_listened_to_with_the_silence_around() -> None:
    (circle,) = circles(HEARD, TALK)
    found = [(span.first / RATE_HZ, span.end / RATE_HZ) for span in sentences(circle, TALK)]
    assert found == [pytest.approx((4.6, 6.4)), pytest.approx((8.6, 10.4))]
    close = window((1, 2), (2.4, 3))
    (all_of_it,) = circles(HEARD[1:3], close)
    one, other = sentences(all_of_it, close)
    assert one.end == other.first == pytest.approx(2.2 * RATE_HZ), "no word is heard twice"


def test_each_sentence_is_what_it_is_on_its_own() -> None:
    (circle,) = circles(HEARD, TALK)
    one, other = sentences(circle, TALK)
    again = {one: [said("on Monday", 5)], other: [said("on Monday", 9)]}
    told = retold(HEARD, again, circle)
    assert texts(told) == ["Good morning", "on Monday", "on Monday", "Good bye"]


def test_a_sentence_that_the_model_is_not_sure_of_stays_as_it_was_heard() -> None:
    (circle,) = circles(HEARD, TALK)
    one, other = sentences(circle, TALK)
    guess = said("Thank you", 9, logprob=-0.9)
    told = retold(HEARD, {one: [said("on Monday", 5)], other: [guess]}, circle)
    assert texts(told) == ["Good morning", "on Monday", "Tuesday", "Good bye"]
    assert retold(HEARD, {one: [], other: [guess]}, circle) == HEARD
