from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longtake import Progress
from longtake.progress import NEARLY_DONE, Meter, merge


def counted(done: int, total: int, fraction: float) -> Progress:
    return Progress(
        job_id="j",
        state="running",
        stage="encoding",
        chunks_done=done,
        chunks_total=total,
        fraction=fraction,
    )


def beat(fraction: float, **more: Any) -> dict[str, Any]:
    return {"stage": "encoding", "fraction": fraction, **more}


def test_running_chunks_count_for_their_share_of_what_is_left() -> None:
    merged = merge(counted(2, 4, 0.5), [beat(0.5), beat(0.25)])
    assert merged.fraction == pytest.approx(0.5 + 0.75 * 0.25)


def test_speeds_of_running_chunks_add_up() -> None:
    merged = merge(counted(0, 4, 0), [beat(0.5, fps=20, speed=0.8), beat(0.1, fps=10, speed=0.4)])
    assert merged.fps == 30
    assert merged.speed == pytest.approx(1.2)


def test_the_time_left_follows_from_frames_and_their_rate() -> None:
    merged = merge(counted(0, 4, 0), [beat(0.5, fps=25, frames=50)])
    assert merged.eta_s == pytest.approx(3.5 * 100 / 25)


def test_without_beats_nothing_is_made_up() -> None:
    merged = merge(counted(2, 4, 0.5), [])
    assert (merged.fraction, merged.fps, merged.speed, merged.eta_s) == (0.5, None, None, None)


def test_a_chunk_that_starts_anew_does_not_turn_the_bar_back() -> None:
    meter = Meter()
    before = meter.read(merge(counted(2, 4, 0.5), [beat(0.9)])).fraction
    assert meter.read(merge(counted(2, 4, 0.5), [beat(0.0)])).fraction == before


def test_nothing_is_complete_before_it_is_published() -> None:
    meter = Meter()
    assert meter.read(counted(4, 4, 1.0)).fraction == NEARLY_DONE
    succeeded = counted(4, 4, 1.0).model_copy(update={"state": "succeeded"})
    assert meter.read(succeeded).fraction == 1.0


anything = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.none(),
    st.sampled_from(["", "nan", "0.5"]),
    st.integers(),
    st.booleans(),
)
beats = st.lists(
    st.dictionaries(st.sampled_from(["fraction", "fps", "speed", "frames"]), anything), max_size=5
)


@example([(0, 0, 0.0, [{"fps": 1e308}, {"fps": 1e308}])])
@example([(0, 1, 0.0, [{"fps": 1e-300, "fraction": 0.1, "frames": 1e307}])])
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 1), beats)))
def test_whatever_beats_say_the_fraction_rises_within_its_bounds(
    told: list[tuple[int, int, float, list[dict[str, Any]]]],
) -> None:
    meter, last = Meter(), 0.0
    for done, total, fraction, details in told:
        shown = meter.read(merge(counted(done, total, fraction), details))
        assert last <= shown.fraction <= 1
        numbers = (shown.fps, shown.speed, shown.eta_s)
        assert all(number is None or math.isfinite(number) for number in numbers)
        last = shown.fraction
