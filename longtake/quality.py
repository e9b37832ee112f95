"""Target quality: the search for the CRF at which a picture reaches a VMAF score.

Pure arithmetic on what probes measured, so that a workflow can do it: the same scores give the
same CRF, killed or not. CPU is the limit: probes of a few samples find the region and the slope,
and one probe of all samples, or two if the first is far off, finds the level. The loss,
100 - VMAF, of all of them is taken to be the same multiple of the loss of the few at every CRF
near by (a ratio estimate), and between probes to grow by the same factor with each step of CRF.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from longtake.contracts.base import Contract
from longtake.contracts.result import ReachedQuality

VMAF_MODEL = "vmaf_v0.6.1"
"""Netflix's model for a 1080p display; used at every size, so that scores can be compared."""
TOLERANCE = 0.5
"""VMAF: farther from its target a picture has not reached it."""
CLOSE = 0.2
"""VMAF: a probe that is so near to the target is the end."""
NEAR = 1.5
"""VMAF: so near to the target the curve through two probes is right, if it is not followed far."""
LEAP = 0.3
"""By so much the logarithm of the loss may be expected to change beyond the nearest probe."""
FAR = 4.0
"""VMAF: samples that are so near to the target have found the region."""
MOST_PROBES = 5
LEAST_LOSS = 0.05
"""Of 100 - VMAF; the curve has a logarithm."""


@dataclass(frozen=True)
class Scale:
    """A codec's CRF as the search uses it."""

    finest: int
    coarsest: int
    usual: int
    """Where the search begins for a target of 95."""
    growth: float
    """Logarithm of the factor by which one step of CRF enlarges the loss; until two probes tell."""
    parts: int
    """CRF values tried between two whole numbers."""


SCALES = {
    "h264": Scale(finest=8, coarsest=48, usual=23, growth=0.15, parts=4),
    "hevc": Scale(finest=8, coarsest=48, usual=25, growth=0.15, parts=4),
    "av1": Scale(finest=8, coarsest=62, usual=33, growth=0.07, parts=1),
    "vp9": Scale(finest=8, coarsest=62, usual=33, growth=0.07, parts=1),
}
"""By the codec's name in a job. libvpx and FFmpeg's SVT-AV1 take whole numbers only."""


class Score(Contract):
    """What one sample of the picture scored."""

    number: int
    vmaf: float
    frames: int
    """Of the sample: its weight."""


class Tried(Contract):
    """A probe: a CRF, and what the samples scored at it."""

    crf: float
    scores: tuple[Score, ...]

    @property
    def numbers(self) -> frozenset[int]:
        """The samples that were measured."""
        return frozenset(score.number for score in self.scores)

    def vmaf(self, numbers: frozenset[int] | None = None) -> float:
        """The mean over these samples; None is all that were measured."""
        chosen = [s for s in self.scores if numbers is None or s.number in numbers]
        return sum(s.vmaf * s.frames for s in chosen) / sum(s.frames for s in chosen)


class Next(Contract):
    """A probe to be made."""

    crf: float
    samples: tuple[int, ...]


class Found(Contract):
    """The end of a search."""

    crf: float
    vmaf: float
    """As measured at this CRF, or on the curve through two probes."""


@dataclass(frozen=True, order=True)
class _Point:
    crf: float
    vmaf: float


def target_of(quality: str) -> float:
    """The score in `vmaf:95`."""
    return float(quality.partition(":")[2])


def next_probe(
    codec: str, target: float, tried: Sequence[Tried], samples: Sequence[int]
) -> Next | None:
    """What to probe next; None once the curve through what is known is good enough."""
    scale = SCALES[codec]
    everything, few = tuple(samples), _few(samples)
    if not tried:
        begin = scale.usual + math.log((100 - target) / 5) / scale.growth
        return Next(crf=_step(scale, begin), samples=few)
    points = _points(target, tried)
    wanted = _step(scale, _solve(scale, target, points))
    level = _level(target, tried)
    if len(level.scores) < len(everything):
        region = len(tried) > 1 or abs(tried[-1].vmaf() - target) <= FAR
        return Next(crf=wanted, samples=everything if region else few)
    nearest = min(points, key=lambda point: abs(point.vmaf - target))
    off, leap = abs(nearest.vmaf - target), abs(nearest.crf - wanted) * scale.growth
    sure = abs(level.vmaf() - target) <= FAR
    enough = off <= CLOSE or (off <= NEAR and leap <= LEAP and len(points) > 1)
    if (
        (sure and enough)
        or len(tried) >= MOST_PROBES
        or any(point.crf == wanted for point in points)
    ):
        return None
    return Next(crf=wanted, samples=few if sure else everything)


def found(codec: str, target: float, tried: Sequence[Tried]) -> Found:
    """The CRF, and the score to expect of it."""
    scale, points = SCALES[codec], _points(target, tried)
    best = min(points, key=lambda point: abs(point.vmaf - target))
    crf = best.crf
    if abs(best.vmaf - target) > CLOSE:
        crf = _step(scale, _solve(scale, target, points))
    known = [point.vmaf for point in points if point.crf == crf]
    return Found(crf=crf, vmaf=round(known[0] if known else _expected(scale, crf, points), 3))


def _few(samples: Sequence[int]) -> tuple[int, ...]:
    """Every third sample, from the middle of each three."""
    return tuple(samples[1::3]) if len(samples) > 3 else tuple(samples)


def _level(target: float, tried: Sequence[Tried]) -> Tried:
    """The probe of the most samples; of several, the nearest to the target."""
    return max(tried, key=lambda probe: (len(probe.scores), -abs(probe.vmaf() - target)))


def _points(target: float, tried: Sequence[Tried]) -> list[_Point]:
    """What each probe scored, or would have scored with all samples."""
    level = _level(target, tried)
    points = {}
    for probe in sorted(tried, key=lambda probe: len(probe.scores)):  # the surest comes last
        common = probe.numbers & level.numbers
        harder = 1.0
        if len(probe.scores) < len(level.scores):
            harder = _loss(level.vmaf()) / _loss(level.vmaf(common))
        points[probe.crf] = _Point(probe.crf, max(0.0, 100 - harder * _loss(probe.vmaf(common))))
    return sorted(points.values())


def _solve(scale: Scale, target: float, points: Sequence[_Point]) -> float:
    """Where the curve meets the target."""
    point, growth = _curve(scale, target, points)
    return point.crf + (math.log(_loss(target)) - math.log(_loss(point.vmaf))) / growth


def _expected(scale: Scale, crf: float, points: Sequence[_Point]) -> float:
    nearest = min(points, key=lambda point: abs(point.crf - crf))
    point, growth = _curve(scale, nearest.vmaf, points)
    return max(0.0, 100 - _loss(point.vmaf) * math.exp(growth * (crf - point.crf)))


def _curve(scale: Scale, vmaf: float, points: Sequence[_Point]) -> tuple[_Point, float]:
    """A point, and how the loss grows from it: through the points around this score, or the two
    that are nearest to it."""
    better = [point for point in points if point.vmaf >= vmaf]
    worse = [point for point in points if point.vmaf < vmaf]
    nearest = sorted(points, key=lambda point: abs(point.vmaf - vmaf))
    pair = [better[-1], worse[0]] if better and worse else nearest[:2]
    if len(pair) < 2:
        return nearest[0], scale.growth
    low, high = sorted(pair)
    growth = math.log(_loss(high.vmaf) / _loss(low.vmaf)) / (high.crf - low.crf)
    # Scores of a saturated picture, or of noise, tell no slope that is to be followed far.
    return nearest[0], min(max(growth, scale.growth / 3), scale.growth * 3)


def _loss(vmaf: float) -> float:
    return max(100 - vmaf, LEAST_LOSS)


def _step(scale: Scale, crf: float) -> float:
    """The nearest value that the encoder takes, within the bounds of the search."""
    exact = Fraction(round(crf * scale.parts), scale.parts)
    return float(min(max(exact, Fraction(scale.finest)), Fraction(scale.coarsest)))


def in_words(reached: ReachedQuality) -> str:
    """What was found, for people."""
    count = len(reached.probes)
    return (
        f"{reached.target}: crf {reached.crf:g}, which is expected to score {reached.vmaf:.1f} "
        f"({count} probe{'s' if count > 1 else ''} of up to "
        f"{max(probe.samples for probe in reached.probes)} samples, {reached.model})"
    )


def unreached(reached: ReachedQuality) -> list[str]:
    """A warning, if no CRF within the search's bounds meets the target."""
    off = reached.vmaf - target_of(reached.target)
    if abs(off) <= TOLERANCE:
        return []
    than = "worse" if off < 0 else "better"
    return [
        f"quality {reached.target} is not met: crf {reached.crf:g}, the nearest, is expected to "
        f"score {reached.vmaf:.1f}, which is {than}"
    ]
