"""Choose a ladder by test encodes: which sizes are worth having for this film, and at which rates.

At every rate one size looks best, scaled up to the source's: too large a picture is starved of
bits, too small a one lacks detail. These best points form the convex hull over all sizes
("Per-Title Encode Optimization", Netflix, 2015). A ladder walks down the hull, in steps that people
see or that lines need. Pure arithmetic: the same test encodes give the same ladder.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from longtake.contracts.codecs import ENCODINGS
from longtake.contracts.ladder import ChosenRung, LadderChoice, Trial
from longtake.contracts.package import PackageCodec

TOP = 95.0
"""VMAF of the first rung: more is not seen (a just noticeable difference is about 6)."""
SEEN = 6.0
"""VMAF: what the next rung has to lose to be worth it at two thirds of the rate."""
HARDLY = 2.0
"""VMAF: what it has to lose at half of the rate or less."""
BAD_LINE_BPS = 200_000
"""Every line carries a rung that takes no more: it is the last."""
NEAR = 2.0
"""VMAF: a rung lies no farther below the hull. Its corners alone are too far apart for a ladder."""
WATCHABLE = 40.0
"""VMAF: nothing below is offered, if the film looks better at all."""
STEPS = (1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0)
"""Least ratio of rates from rung to rung; the first at which there are not too many rungs."""
CAP = 3.0
"""Of a rung, as a multiple of its expected rate. A lower one binds where a film is richer than its
samples, and looks worse for it at the same rate (measured: by 4 VMAF with twice the rate)."""
_CAP_STEP_BPS = 10_000
_LEAST_CAP_BPS = 50_000
_LEAST_LOSS = 0.05
"""Of 100 - VMAF; the curve has a logarithm."""


def mean_trials(samples: Iterable[Sequence[Trial]]) -> tuple[Trial, ...]:
    """The means over samples that were all encoded alike."""
    return tuple(
        each[0].model_copy(
            update={
                "crf": round(sum(trial.crf for trial in each) / len(each), 2),
                "bps": round(sum(trial.bps for trial in each) / len(each)),
                "vmaf": round(sum(trial.vmaf for trial in each) / len(each), 2),
            }
        )
        for each in zip(*samples, strict=True)
    )


def choose_ladder(
    codec: PackageCodec,
    trials: Sequence[Trial],
    *,
    most_bps: int,
    most_rungs: int,
    last_bps: float = BAD_LINE_BPS,
) -> LadderChoice | None:
    """The rungs of one codec; None if nothing that was tested keeps within `most_bps`.

    `trials` are means over samples; `most_bps` is the highest cap in bit/s. A rung that takes
    `last_bps` or less is the last.
    """
    curves = [list(_curve(same)) for same in by_size(trials)]
    coarsest = (ENCODINGS[codec].crf or (0, math.inf, 0))[1]
    points = [
        point
        for curve in curves
        for point in curve
        if point.bps <= most_bps and point.crf <= coarsest
    ]
    if not points:
        return None
    hull = upper_hull(points)
    near = [
        point for point in _unbeaten(points) if point.vmaf >= _height_of(hull, point.bps) - NEAR
    ]
    top = _first(hull, curves[0])
    room = min(CAP, most_bps / top.bps)
    last_bps = last_bps if top.bps > BAD_LINE_BPS else top.bps
    walks = (_walk(near, top, step, last_bps) for step in STEPS)
    rungs = next((walk for walk in walks if len(walk) <= most_rungs), [top])
    return LadderChoice(
        codec=codec,
        trials=tuple(trials),
        hull=tuple(hull),
        rungs=tuple(
            ChosenRung(**each.model_dump(), max_bitrate_bps=_cap(room * each.bps)) for each in rungs
        ),
    )


def _unbeaten(points: Iterable[Trial]) -> Iterator[Trial]:
    """The points that look better than every cheaper one."""
    best = -math.inf
    for point in sorted(points, key=lambda each: (each.bps, -each.vmaf)):
        if point.vmaf > best:
            best = point.vmaf
            yield point


def upper_hull(points: Iterable[Trial]) -> list[Trial]:
    """The points that no mixture of others beats: rate falls, VMAF falls, and each step down saves
    less for what it costs (Andrew's monotone chain, upper half)."""
    hull: list[Trial] = []
    for point in _unbeaten(points):
        while len(hull) > 1 and _slope(hull[-2], point) >= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(point)
    return hull[::-1]


def _slope(one: Trial, other: Trial) -> float:
    return (other.vmaf - one.vmaf) / (other.bps - one.bps)


def _height_of(hull: Sequence[Trial], bps: float) -> float:
    """VMAF of the hull at a rate between its ends, which fall."""
    for above, below in pairwise(hull):
        if below.bps <= bps <= above.bps:
            return below.vmaf + _slope(below, above) * (bps - below.bps)
    return hull[0].vmaf if bps >= hull[0].bps else math.inf


def by_size(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The largest size first; of each the finest first."""
    sizes: dict[tuple[int, int], list[Trial]] = defaultdict(list)
    for trial in trials:
        sizes[trial.width, trial.height].append(trial)
    largest = sorted(sizes, key=lambda size: -size[0] * size[1])
    return [sorted(sizes[size], key=lambda trial: trial.crf) for size in largest]


def _curve(trials: Sequence[Trial]) -> Iterator[Trial]:
    """Every whole CRF between the test encodes of one size.

    Rate and loss, 100 - VMAF, grow by the same factor with each step from one test encode to the
    next, as in `longtake.quality`.
    """
    for number, (one, other) in enumerate(pairwise(trials), 2):
        last = math.floor(other.crf) + 1 if number == len(trials) else math.ceil(other.crf)
        for crf in range(math.ceil(one.crf), last):
            part = (crf - one.crf) / (other.crf - one.crf)
            lost = between(loss(one), loss(other), part)
            yield one.model_copy(
                update={
                    "crf": crf,
                    "bps": round(between(one.bps, other.bps, part)),
                    "vmaf": round(100 - lost, 2),
                }
            )


def between(one: float, other: float, part: float) -> float:
    """So far on the way from one to the other, where each step is the same factor."""
    return math.exp(math.log(one) * (1 - part) + math.log(other) * part)


def loss(trial: Trial) -> float:
    """What a trial lacks of VMAF 100."""
    return max(100 - trial.vmaf, _LEAST_LOSS)


def _first(hull: Sequence[Trial], largest: Sequence[Trial]) -> Trial:
    """The cheapest point that looks like the source; of a film so plain that every line carries it
    at its own size, that size."""
    plain = [each for each in largest if each.bps <= BAD_LINE_BPS and each.vmaf >= TOP]
    if plain:
        return max(plain, key=lambda each: (each.vmaf, -each.bps))
    return min(
        (each for each in hull if each.vmaf >= TOP), key=lambda each: each.bps, default=hull[0]
    )


def _walk(points: Sequence[Trial], top: Trial, step: float, last_bps: float) -> list[Trial]:
    """Down from `top`, each rung the richest that is worth it beside the one above."""
    least = min(WATCHABLE, top.vmaf / 2)
    watchable = [each for each in points if each.vmaf >= least]
    rungs = [top]
    while rungs[-1].bps > last_bps:
        worth = [each for each in watchable if _is_worth_it(rungs[-1], each, step)]
        if not worth:
            break
        rungs.append(max(worth, key=lambda each: (each.bps, each.vmaf)))
    return rungs


def _is_worth_it(above: Trial, below: Trial, step: float) -> bool:
    lost, saved = above.vmaf - below.vmaf, above.bps / below.bps
    seen = lost >= SEEN or (saved >= 2 and lost >= HARDLY)
    return saved >= step and seen and below.height <= above.height


def _cap(bps: float) -> int:
    return max(_LEAST_CAP_BPS, round(bps / _CAP_STEP_BPS) * _CAP_STEP_BPS)
