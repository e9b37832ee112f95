"""Silence goes to the sample, cuts are not heard, and what is no silence stays."""

from __future__ import annotations

import itertools
import math
from array import array
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from longtake.contracts.stitch import Trim
from media.sound.pcm import Pcm, as_bytes
from media.sound.silence import blend_of, cut, kept, scan, threshold_dbfs, window_of
from tests.media.engine import no_tick
from tests.media.programme import channel, largest_step

RATE = 8_000
WINDOW = window_of(RATE)
LEVELS = st.lists(st.sampled_from([-70.0, -20.0]), min_size=1, max_size=200)


def pcm(path: Path, samples: list[float], channels: int = 1) -> Pcm:
    path.write_bytes(as_bytes(array("f", samples)))
    return Pcm(path, RATE, channels)


@given(LEVELS, st.integers(0, WINDOW - 1), st.booleans(), st.booleans())
def test_pauses_keep_their_limit_and_sound_is_never_cut(
    levels: list[float], rest: int, head: bool, tail: bool
) -> None:
    samples = len(levels) * WINDOW - rest
    limit = Fraction(1, 5)
    trim = Trim(
        head=head, tail=tail, longest_pause_s=limit, threshold_dbfs=-40, keep_s=Fraction(1, 20)
    )
    spans = kept(levels, samples, RATE, trim)
    assert 0 <= spans[0].first < spans[-1].end <= samples
    for one, other in itertools.pairwise(spans):
        assert other.first - one.end >= blend_of(RATE)
    loud = [n for n, level in enumerate(levels) if level > -40]
    stays = set()
    for span in spans:
        stays |= set(range(span.first, span.end))
    assert all(set(range(n * WINDOW, min(samples, (n + 1) * WINDOW))) <= stays for n in loud)
    if not loud:
        assert len(stays) == samples
        return
    if head:
        assert loud[0] * WINDOW - spans[0].first <= round(RATE / 20)
    if tail:
        assert spans[-1].end - (loud[-1] + 1) * WINDOW <= round(RATE / 20)
    longest, slack = round(limit * RATE), blend_of(RATE)
    for before, after in itertools.pairwise(loud):
        pause = range((before + 1) * WINDOW, after * WINDOW)
        left = len(stays & set(pause))
        assert left == longest if len(pause) - longest >= slack else left == len(pause)


def test_the_threshold_follows_the_noise_of_the_part() -> None:
    speech = [-62.0] * 30 + [-20.0] * 70
    assert threshold_dbfs(speech, Trim()) == -50
    assert threshold_dbfs(speech, Trim(above_floor_db=20)) == -42
    assert threshold_dbfs(speech, Trim(threshold_dbfs=-33)) == -33
    music = [-24.0] * 30 + [-16.0] * 70
    assert threshold_dbfs(music, Trim()) == -36, "music without pauses has no silence"
    gated = [-math.inf] * 50 + [-60.0] * 10 + [-20.0] * 40
    assert threshold_dbfs(gated, Trim()) == -48, "zeros are no noise floor"


def test_a_cut_has_the_spans_samples_and_no_step(tmp_path: Path) -> None:
    hum = [0.1 * math.sin(2 * math.pi * 47.3 * n / RATE) for n in range(3 * RATE)]
    sound = pcm(tmp_path / "whole", hum)
    levels = [-20.0] * 20 + [-70.0] * 110 + [-20.0] * 20
    spans = kept(
        levels, sound.samples, RATE, Trim(threshold_dbfs=-40, longest_pause_s=Fraction(3, 10))
    )
    assert len(spans) == 2
    cut(sound, spans, tmp_path / "cut")
    made = channel(Pcm(tmp_path / "cut", RATE, 1))
    assert len(made) == sum(span.samples for span in spans)
    assert len(made) == 3 * RATE - 110 * WINDOW + round(0.3 * RATE)
    assert largest_step(made, 0, len(made)) < 1.5 * largest_step(channel(sound), 0, RATE)
    first = spans[0].samples - blend_of(RATE)
    assert list(made[:first]) == list(channel(sound)[:first])
    assert list(made[spans[0].samples :]) == list(channel(sound)[spans[1].first : spans[1].end])


async def test_levels_are_those_of_exact_windows(tmp_path: Path) -> None:
    tone = [0.5 * math.sin(2 * math.pi * 500 * n / RATE) for n in range(10 * WINDOW)]
    both = [value for v in tone + [0.0] * (7 * WINDOW + 3) for value in (v, v)]
    levels, _ = await scan(pcm(tmp_path / "x", both, 2), tmp_path / "report", no_tick)
    assert len(levels) == 18
    assert all(abs(level - 20 * math.log10(0.5 / math.sqrt(2))) < 0.1 for level in levels[:10])
    assert all(level == -math.inf for level in levels[10:])
    assert not (tmp_path / "report").exists()
