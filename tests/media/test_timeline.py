"""Places on a programme's clock add up, to the sample."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from longtake.contracts.stitch import Join
from media.programme.timeline import Bed, Mark, beds, place

RATE = 44_100
TIMES = st.fractions(min_value=0, max_value=5, max_denominator=1000)
JOINS = st.one_of(
    st.just(Join()),
    TIMES.map(lambda t: Join(gap_s=t)),
    TIMES.map(lambda t: Join(crossfade_s=t)),
)


@given(st.lists(st.tuples(st.integers(1, 10 * RATE), JOINS), min_size=1, max_size=30))
def test_the_whole_is_the_parts_and_gaps_less_the_overlaps(
    parts: list[tuple[int, Join]],
) -> None:
    lengths, joins = [length for length, _ in parts], [join for _, join in parts]
    timeline = place(lengths, joins, RATE)
    gaps = [round(join.gap_s * RATE) for join in joins[1:]]
    overlaps = [placed.overlap for placed in timeline.placed]
    assert timeline.samples == sum(lengths) + sum(gaps) - sum(overlaps)
    assert timeline.placed[0].first == 0
    for number, placed in enumerate(timeline.placed[1:], 1):
        before, join = timeline.placed[number - 1], joins[number]
        assert placed.first == before.end + gaps[number - 1] - placed.overlap
        asked = round(join.crossfade_s * RATE)
        assert placed.overlap <= asked
        assert placed.shortened == (placed.overlap < asked)
        if not placed.shortened:
            assert placed.overlap == asked
    for placed, follows in zip(timeline.placed, timeline.placed[1:], strict=False):
        assert placed.overlap + follows.overlap <= placed.samples, "in two fades at once"


def test_chapters_begin_with_their_parts_and_end_with_the_next() -> None:
    timeline = place([100, 200, 300], [Join()] * 3, RATE)
    assert timeline.chapters(["One", None, "Three"]) == (
        Mark(0, 300, "One"),
        Mark(300, 600, "Three"),
    )
    assert timeline.chapters([None, None, None]) == ()


def test_a_bed_lies_under_the_parts_behind_it() -> None:
    second = Join(gap_s=Fraction(10, RATE))
    timeline = place([100, 200, 300], [Join(), second, Join()], RATE)
    line = (1, 2, 4)  # of 0 to 4, where 0 and 3 are music beds
    assert beds(line, {0: None, 3: 1}, timeline) == (Bed(0, 0, 610), Bed(3, 310, 610))
    assert beds(line, {0: 2}, timeline) == (Bed(0, 0, 310),)
