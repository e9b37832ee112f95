"""The pure rules of speech: spans, windows, guards and masks."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longtake.contracts.media import AudioFacts
from longtake.contracts.speech import RATE_HZ, Span, Window
from longtake.contracts.transcribe import SpeechSettings
from longtake.contracts.transcript import LanguageFound
from media.probing.in_child import inspect_in_child
from media.speech.guards import guarded
from media.speech.heard import Heard, HeardWord, as_segments
from media.speech.plan import HeardWindow, SpeechPlan, caption_rate, first_frame_s
from media.speech.profanity import can_mask, mask
from media.speech.spans import CHUNK, LONGEST_S, spans_of
from media.speech.transcript import join_windows
from media.speech.windows import Clock, half_minutes, listened, plan_windows
from tests.media.engine import run


@st.composite
def recordings(draw: st.DrawFn) -> tuple[tuple[Span, ...], int]:
    """Spans of speech of at most 30 s, and how many samples there are."""
    spans, at = [], 0
    lengths = st.tuples(st.integers(0, 400_000), st.integers(CHUNK, int(LONGEST_S * RATE_HZ)))
    for silence, speech in draw(st.lists(lengths, max_size=60)):
        spans.append(Span(first=at + silence, end=at + silence + speech))
        at = spans[-1].end
    return tuple(spans), at + draw(st.integers(1, 400_000))


@given(recordings(), st.sampled_from([30.0, 60.0, 120.0]))
def test_windows_tile_the_channel_and_hold_every_span_once(
    recording: tuple[tuple[Span, ...], int], longest_s: float
) -> None:
    spans, samples = recording
    windows = plan_windows(spans, samples, longest_s=longest_s)
    assert tuple(span for window in windows for span in window.spans) == spans
    if windows:
        assert (windows[0].first, windows[-1].end) == (0, samples)
    assert all(a.end == b.first for a, b in pairwise(windows))
    for window in windows:
        assert window.spans[-1].end - window.spans[0].first <= longest_s * RATE_HZ
        pieces = listened(window)
        assert all(a.end < b.first for a, b in pairwise(pieces))
        assert window.first <= pieces[0].first
        assert pieces[-1].end <= window.end
        for span in window.spans:
            assert any(p.first <= span.first and span.end <= p.end for p in pieces)


@given(recordings())
def test_half_minutes_hold_all_that_is_listened_to(
    recording: tuple[tuple[Span, ...], int],
) -> None:
    for window in plan_windows(*recording):
        halves = list(half_minutes(window))
        lengths = [sum(span.samples for span in half) for half in halves]
        assert all(length == 30 * RATE_HZ for length in lengths[:-1])
        assert 0 < lengths[-1] <= 30 * RATE_HZ
        assert joined(span for half in halves for span in half) == listened(window)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans that meet as one."""
    found: list[Span] = []
    for span in spans:
        begins = found.pop().first if found and found[-1].end == span.first else span.first
        found.append(Span(first=begins, end=span.end))
    return tuple(found)


@given(recordings(), st.floats(0, 1), st.floats(0, 5))
def test_a_word_lies_where_it_was_said(
    recording: tuple[tuple[Span, ...], int], share: float, length_s: float
) -> None:
    """The clock turns positions in what was listened to back into those of the source."""
    windows = plan_windows(*recording)
    for window in windows[:3]:
        pieces = listened(window)
        heard = sum(piece.samples for piece in pieces) / RATE_HZ
        start, end = Clock(pieces).source(share * heard, min(heard, share * heard + length_s))
        assert start <= end
        inside = [
            p for p in pieces if p.first <= start * RATE_HZ + 17 and end * RATE_HZ <= p.end + 17
        ]
        assert inside


def test_a_border_lies_in_the_longest_silence() -> None:
    at = (0, 20, 21, 50, 53, 80, 81, 110)
    spans = [
        Span(first=a * RATE_HZ, end=b * RATE_HZ) for a, b in zip(at[::2], at[1::2], strict=True)
    ]
    first, second = plan_windows(spans, 120 * RATE_HZ, longest_s=90)
    assert first.end == second.first == 51.5 * RATE_HZ


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), max_size=3000))
def test_spans_are_apart_and_of_bounded_length(probabilities: list[float]) -> None:
    spans = spans_of(probabilities, len(probabilities) * CHUNK)
    assert all(a.end <= b.first for a, b in pairwise(spans))
    assert all(span.samples <= LONGEST_S * RATE_HZ for span in spans)


def test_endless_speech_is_cut_where_it_is_least_likely() -> None:
    probabilities = [0.9] * 1500
    probabilities[700] = 0.4
    spans = spans_of(probabilities, 1500 * CHUNK)
    assert spans[0].end == spans[1].first == 700 * CHUNK


def _heard(
    text: str,
    start_s: float = 0,
    *,
    no_speech: float = 0.1,
    logprob: float = -0.3,
    ratio: float = 1.2,
) -> Heard:
    words = tuple(
        HeardWord(start_s + number * 0.5, start_s + number * 0.5 + 0.4, f" {word}", 0.9)
        for number, word in enumerate(text.split())
    )
    return Heard(words, logprob, no_speech, ratio)


_ALL = (Span(first=0, end=100 * RATE_HZ),)


def test_what_the_model_hardly_believes_is_left_out() -> None:
    assert guarded([_heard("thank you", no_speech=0.9, logprob=-1.2)], _ALL) == ()
    assert guarded([_heard("thank you", no_speech=0.9)], _ALL)


def test_words_where_nobody_speaks_are_left_out() -> None:
    nobody = (Span(first=50 * RATE_HZ, end=60 * RATE_HZ),)
    assert guarded([_heard("thanks for watching")], nobody) == ()


def test_a_loop_is_told_once_and_a_chant_stays() -> None:
    loop = "so it goes on and on " + "and then we " * 20
    (told,) = as_segments(guarded([_heard(loop, ratio=6.0)], _ALL))
    assert told.text == "so it goes on and on and then we"
    (chant,) = as_segments(guarded([_heard("no no no no")], _ALL))
    assert chant.text == "no no no no"


def test_a_word_begins_with_its_speech_and_not_in_the_pause_before() -> None:
    word = HeardWord(0.0, 3.0, " And", 0.9)
    spans = (Span(first=2 * RATE_HZ, end=5 * RATE_HZ // 2),)
    (segment,) = guarded([Heard((word,), -0.1, 0.0, 1.0)], spans)
    assert (segment.words[0].start_s, segment.words[0].end_s) == (1.9, 2.7)


def test_masks_keep_the_first_letter_the_length_and_the_innocent() -> None:
    assert mask(" Bullshit!", "en") == " B*******!"
    assert mask("Scunthorpe, cocktail and assassin", "en") == "Scunthorpe, cocktail and assassin"
    assert not can_mask("xx")
    assert mask("shit", "xx") == "shit"


@pytest.mark.parametrize(("late_s", "told"), [(0.0, True), (4.0, False)])
def test_one_voice_in_both_channels_is_told(late_s: float, told: bool) -> None:
    """And what one says after the other is none of it."""
    plan = SpeechPlan.model_construct(
        audio=AudioFacts.model_construct(channels=2),
        media_s=20.0,
        settings=SpeechSettings(speakers="channels"),
    )
    windows = [
        (
            Window(channel=channel, first=0, end=20 * RATE_HZ, spans=()),
            HeardWindow(segments=as_segments([_heard(words, start_s)])),
        )
        for channel, words, start_s in (
            (0, "We meet on Monday", 1),
            (1, "we meet on Monday", 1 + late_s),
        )
    ]
    language = LanguageFound(code="en", probability=1, asked=True)
    joined = join_windows(plan, windows, model="tiny.en", language=language, speech_s=8)
    assert any("Speaker 1 and Speaker 2 say the same" in each for each in joined.warnings) == told


@pytest.mark.parametrize(("silence_s", "of_it_s"), [(1, (0.5, 0.5)), (6, (3, 3)), (7, (0.4, 0.4))])
def test_of_a_short_silence_each_window_listens_to_its_half(
    silence_s: int, of_it_s: tuple[float, float]
) -> None:
    """What Silero misses there is heard as it is within a window."""
    spans = (
        Span(first=0, end=50 * RATE_HZ),
        Span(first=(50 + silence_s) * RATE_HZ, end=100 * RATE_HZ),
    )
    one, other = plan_windows(spans, 100 * RATE_HZ, longest_s=60)
    (before,), (behind,) = listened(one), listened(other)
    heard = (before.end - one.spans[0].end, other.spans[0].first - behind.first)
    assert heard == tuple(round(s * RATE_HZ) for s in of_it_s)
    inside = listened(Window(channel=0, first=0, end=100 * RATE_HZ, spans=spans))
    assert (len(inside) == 1) == (silence_s <= 6)


async def test_captions_keep_to_a_picture_that_begins_behind_its_sound(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    run(
        *("-f", "lavfi", "-t", "1", "-i", "anoisesrc", "-itsoffset", "0.12", "-f", "lavfi"),
        *("-t", "1", "-i", "testsrc2=s=64x36:r=25", "-c:v", "libx264", film),
    )
    facts, index = await inspect_in_child(film)
    assert caption_rate(facts, index) == 25
    assert first_frame_s(index) == Fraction(3, 25)
