"""A ladder goes down the hull of what was tested: whatever the curves are like."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bench.ladder import Rung, rate_at
from longtake.contracts.ladder import LadderChoice, Trial
from media.package.hull import BAD_LINE_BPS, NEAR, SEEN, TOP, choose_ladder, mean_trials
from media.package.ladder import auto_ladder, fixed_ladder
from media.package.ladder_worth import expected
from tests.media.test_picture import video

SIZES = ((1920, 1080), (1280, 720), (854, 480), (640, 360))
CRFS = (22, 30, 38)


def made(richness: float, detail: float, decay: float = 0.12) -> list[Trial]:
    """Curves as x264 has them: rate by the power of .75 of the pixels; what is lost by coding grows
    with CRF, and by enlarging as much as the film has detail."""
    return [
        Trial(
            width=width,
            height=height,
            crf=crf,
            bps=max(1, round(richness * (width * height) ** 0.75 * math.exp(-decay * crf))),
            vmaf=round(
                max(1.0, 99.5 - 0.08 * math.exp(0.15 * crf) - detail * (1080 / height - 1)), 2
            ),
        )
        for number, (width, height) in enumerate(SIZES)
        for crf in (CRFS if number == 0 else CRFS[:2])
    ]


def choose(trials: list[Trial], most_bps: int = 6_000_000, most_rungs: int = 6) -> LadderChoice:
    choice = choose_ladder("h264", trials, most_bps=most_bps, most_rungs=most_rungs)
    assert choice is not None
    return choice


@given(st.floats(2, 5000), st.floats(0, 40), st.floats(0.03, 0.2), st.integers(1, 8))
def test_rungs_fall_and_lie_on_the_hull(
    richness: float, detail: float, decay: float, most_rungs: int
) -> None:
    trials = made(richness, detail, decay)
    choice = choose_ladder("h264", trials, most_bps=6_000_000, most_rungs=most_rungs)
    if choice is None:
        assert min(trial.bps for trial in trials) > 6_000_000
        return
    assert 1 <= len(choice.rungs) <= most_rungs
    for above, below in pairwise(choice.rungs):
        assert below.height <= above.height
        assert below.bps <= above.bps / 1.5
        assert below.vmaf < above.vmaf
        assert below.max_bitrate_bps < above.max_bitrate_bps
    for rung in choice.rungs:
        assert rung.bps <= 6_000_000
        assert rung.max_bitrate_bps <= 6_000_000 + 5_000
        assert (rung.width, rung.height) in SIZES
        assert CRFS[0] <= rung.crf <= CRFS[-1]
        better = [t for t in trials if t.bps <= rung.bps and t.vmaf > rung.vmaf + NEAR]
        assert not better, "another size looks better and takes no more"


@given(st.floats(2, 5000), st.floats(0, 40))
def test_no_mixture_of_others_beats_a_corner_of_the_hull(richness: float, detail: float) -> None:
    trials = made(richness, detail)
    choice = choose_ladder("h264", trials, most_bps=10**9, most_rungs=6)
    assert choice is not None
    slopes = [
        (above.vmaf - below.vmaf) / (above.bps - below.bps)
        for above, below in pairwise(choice.hull)
    ]
    assert slopes == sorted(slopes), "each step down costs more for what it saves"
    assert all(
        trial.vmaf <= max(corner.vmaf for corner in choice.hull if corner.bps <= trial.bps * 1.5)
        for trial in trials
    )


def test_a_film_without_detail_is_offered_small_and_one_with_detail_large() -> None:
    soft, sharp = choose(made(300, 0.2)), choose(made(300, 30))
    assert soft.rungs[0].height < 1080
    assert sharp.rungs[0].height == 1080
    assert sharp.rungs[1].height == 1080, "coarser, as enlarging costs more than coding"


def test_the_first_rung_looks_like_the_source_and_takes_no_more_than_that() -> None:
    first = choose(made(100, 10)).rungs[0]
    assert TOP <= first.vmaf < TOP + 1.5


def test_an_easy_film_gets_fewer_and_cheaper_rungs_than_a_rich_one() -> None:
    easy, rich = choose(made(15, 10)), choose(made(400, 10))
    assert len(easy.rungs) < len(rich.rungs)
    assert easy.rungs[0].bps < rich.rungs[0].bps / 5


def test_the_last_rung_fits_a_bad_line_where_it_can_be_watched() -> None:
    assert choose(made(200, 8)).rungs[-1].bps <= BAD_LINE_BPS
    detailed = choose(made(1000, 60)).rungs[-1]
    assert detailed.vmaf >= 40
    assert detailed.bps > BAD_LINE_BPS, "what takes less cannot be watched"


def test_no_rung_is_larger_than_the_one_above() -> None:
    """A coarse encode of the largest size may come near to the hull again at low rates."""
    points = {
        (1920, 1080): ((22, 9_000_000, 95.0), (30, 800_000, 80.0)),
        (1280, 720): ((22, 2_000_000, 95.0), (30, 1_000_000, 82.0)),
    }
    trials = [
        Trial(width=width, height=height, crf=crf, bps=bps, vmaf=vmaf)
        for (width, height), each in points.items()
        for crf, bps, vmaf in each
    ]
    assert {rung.height for rung in choose(trials).rungs} == {720}


def test_a_film_that_every_line_carries_keeps_its_size_in_one_rung() -> None:
    (only,) = choose(made(2, 0)).rungs
    assert only.height == 1080
    assert only.vmaf >= TOP


def test_a_rich_film_stays_under_the_cap() -> None:
    rungs = choose(made(3000, 10), most_bps=3_000_000).rungs
    assert rungs[0].bps <= rungs[0].max_bitrate_bps <= 3_005_000


def test_no_quality_is_chosen_that_the_encoder_has_not() -> None:
    coarse = [trial.model_copy(update={"crf": trial.crf + 27}) for trial in made(800, 3)]
    choice = choose_ladder("av1", coarse, most_bps=6_000_000, most_rungs=6)
    assert choice is not None
    assert all(point.crf <= 63 for point in (*choice.hull, *choice.rungs))


def test_steps_are_seen_or_halve_the_rate() -> None:
    for above, below in pairwise(choose(made(500, 6)).rungs):
        assert above.vmaf - below.vmaf >= SEEN or below.bps <= above.bps / 2


def test_samples_are_averaged_test_by_test() -> None:
    some, others = made(100, 5), made(300, 15)
    means = mean_trials([some, others])
    assert [mean.bps for mean in means] == [
        round((one.bps + other.bps) / 2) for one, other in zip(some, others, strict=True)
    ]
    assert [(m.height, m.crf) for m in means] == [(t.height, t.crf) for t in some]


@given(st.floats(20, 5000), st.floats(0, 40), st.floats(0.03, 0.2), st.integers(18, 32))
def test_at_equal_quality_no_film_takes_more_than_with_the_fixed_ladder(
    richness: float, detail: float, decay: float, crf: int
) -> None:
    trials = [
        each.model_copy(update={"crf": each.crf - 4}) for each in made(richness, detail, decay)
    ]
    facts = video(width=1920, height=1080)
    sizes = [[each for each in trials if each.height == height] for _, height in SIZES]
    usual = [
        expected(rung, crf, own)
        for rung, own in zip(fixed_ladder(facts, ("h264",)), sizes, strict=True)
    ]
    for choice in auto_ladder(facts, ("h264",), [trials], {"h264": crf}):
        rungs = [Rung("", rung.bps, rung.vmaf) for rung in choice.rungs]
        same = [rate_at(rungs, min(each.vmaf, TOP)) for each in usual]
        if choice.is_fixed:
            assert choice.rungs[: len(usual)] == tuple(usual)
            assert all(rung.bps < usual[-1].bps for rung in choice.rungs[len(usual) :])
        elif rungs[0].bps > BAD_LINE_BPS:
            assert sum(same) <= sum(each.bps for each in usual)


def test_what_is_expected_of_the_fixed_ladder_lies_on_the_curve_and_under_its_cap() -> None:
    own = [each for each in made(300, 5) if each.height == 720]
    rung = fixed_ladder(video(width=1280, height=720), ("h264",))[0]
    assert expected(rung, own[0].crf, own).bps == own[0].bps < rung.max_bitrate_bps
    assert expected(rung, own[1].crf, own).vmaf == own[1].vmaf
    capped = rung.model_copy(update={"max_bitrate_bps": own[1].bps})
    assert (expected(capped, own[0].crf, own).bps, expected(capped, own[0].crf, own).vmaf) == (
        own[1].bps,
        own[1].vmaf,
    )
