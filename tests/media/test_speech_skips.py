"""What a model passed over is heard once more, and nothing else."""

from __future__ import annotations

import pytest

from longtake.contracts.speech import RATE_HZ, Span, Window
from media.speech.heard import Heard, HeardWord
from media.speech.skips import filled, holes


def said(text: str, start_s: float, step_s: float = 0.3, logprob: float = -0.3) -> Heard:
    """One word after the other."""
    words = tuple(
        HeardWord(start_s + n * step_s, start_s + (n + 0.9) * step_s, f" {word}", 0.9)
        for n, word in enumerate(text.split())
    )
    return Heard(words, logprob, 0.1, 1.2)


def window(*spoken: tuple[float, float]) -> Window:
    """Of half a minute, in which somebody speaks so."""
    spans = tuple(Span(first=int(a * RATE_HZ), end=int(b * RATE_HZ)) for a, b in spoken)
    return Window(channel=0, first=0, end=30 * RATE_HZ, spans=spans)


def text(heard: tuple[Heard, ...]) -> str:
    return " ".join(word.text.strip() for each in heard for word in each.words)


TALK = window((1, 5), (6, 10), (11, 15))
"""Three sentences, of which the model passed over the second, and stretched a word over it."""
FIRST, THIRD = said("and everyone was happy about it", 1, 0.6), said("so he went home", 11, 0.9)
STRETCHED = said("The man", 5.5, 0.2)


def test_a_sentence_that_was_passed_over_is_found_and_put_in_its_place() -> None:
    heard = (FIRST, STRETCHED.with_words((*STRETCHED.words, *THIRD.words)))
    (hole,) = holes(heard, TALK)
    assert [hole.start_s, hole.end_s] == pytest.approx([5.88, 11])
    assert hole.piece(TALK).first == pytest.approx(5.78 * RATE_HZ, abs=2)
    whole = filled(heard, (said("Nobody else had the time", 6, 0.7),), hole)
    assert text(whole) == (
        "and everyone was happy about it The man Nobody else had the time so he went home"
    )
    assert not holes(whole, TALK)


def test_words_that_stand_in_a_hole_at_a_wrong_time_give_way() -> None:
    lost = said("The man", 8.4, 0.3)
    heard = (FIRST, lost, THIRD)
    (hole,) = holes(heard, TALK)
    again = said("Nobody else had the time the man", 6, 0.6)
    assert text(filled(heard, (again,), hole)).count("man") == 1


@pytest.mark.parametrize(
    "again",
    [
        (),
        (said("ha ha ha ha ha ha", 6, 0.6),),
        (said("The man", 6, 0.6),),
        (said("Thanks for watching this video", 6, 0.7, logprob=-0.9),),
    ],
    ids=["nothing", "laughter", "too little", "a guess"],
)
def test_what_was_rightly_passed_over_stays_so(again: tuple[Heard, ...]) -> None:
    heard = (FIRST, THIRD)
    (hole,) = holes(heard, TALK)
    assert filled(heard, again, hole) == heard


def test_pauses_are_no_holes_and_neither_is_a_window_without_a_word() -> None:
    assert not holes((FIRST, THIRD), window((1, 5), (11, 15)))
    assert not holes((), TALK)


def test_a_word_is_not_stretched_over_what_was_found() -> None:
    long = FIRST.with_words((*FIRST.words[:-1], HeardWord(4.0, 10.5, " it.", 0.9)))
    (hole,) = holes((long, THIRD), TALK)
    assert [hole.start_s, hole.end_s] == pytest.approx([5.2, 11])
    whole = filled((long, THIRD), (said("Nobody else had the time", 6, 0.7),), hole)
    assert whole[0].words[-1].end_s == pytest.approx(5.2)
