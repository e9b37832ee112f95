"""Target quality: the CRF of each chunk, so that the whole picture reaches a VMAF score.

Pure arithmetic on what finished chunks scored, so that a workflow can do it: the same scores give
the same CRFs, killed or not. The chunks of the film itself tell: they are encoded in waves, each
at the CRF that makes up for what the waves before it missed. Little is thrown away: chunks of
early waves that turn out far too coarse, and a few where the whole misses at the end.

What a chunk loses, 100 - VMAF, is taken to grow by the same factor with each step of CRF, from
where it was measured. A chunk that is not encoded yet is expected to be as hard as the others
are on average. Both are wrong for a single chunk; the next wave sees by how much.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate

from longtake.contracts.base import Contract
from longtake.contracts.result import QualityWave, ReachedQuality

VMAF_MODEL = "vmaf_v0.6.1"
"""Netflix's model for a 1080p display; used at every size, so that scores can be compared."""
TOLERANCE = 0.5
"""VMAF: farther from its target a picture has not reached it."""

# What follows decides which steps a job takes, so a change of it is one of the workflow, for
# jobs that run meanwhile: behind `workflow.patched`. Decision 26 has what was tried.
CLOSE = 0.15
"""VMAF: a wave need not bring the whole nearer than that, so that CRFs differ less."""
MEND = 0.3
"""VMAF: farther off, chunks are encoded anew at the end. Less than the tolerance, as not every
frame is scored."""
APART = 4.0
"""Steps of CRF: no wave is encoded farther from what the whole is thought to need by then."""
TOO_COARSE = 6.0
"""Steps of CRF: a chunk that turns out to be so much too coarse is encoded anew."""
FIRST = 1 / 12
"""Of the frames that the first wave takes, which knows least."""
SHORT = 1 / 4
"""Of the frames that come last: in the shortest chunks, which miss by the least."""
SURE = 0.12
"""VMAF: once what is left will miss by less than that, it is one wave."""
SURE_BEFORE = 0.2
"""The same, of jobs that were begun before it changed."""
SPREAD = 0.5
"""What chunks lose differs by so much of its mean, from chunk to chunk (standard deviation)."""
GUESSED = 0.5
"""Chunks that the first guess weighs as much as."""
MOST_TRIES = 4
"""So often one chunk is encoded."""
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
    """Logarithm of the factor by which one step of CRF enlarges the loss; until a chunk that
    was encoded twice tells."""
    parts: int
    """CRF values tried between two whole numbers."""


SCALES = {
    "h264": Scale(finest=8, coarsest=48, usual=23, growth=0.15, parts=4),
    "hevc": Scale(finest=8, coarsest=48, usual=25, growth=0.15, parts=4),
    "av1": Scale(finest=8, coarsest=62, usual=33, growth=0.07, parts=1),
    "vp9": Scale(finest=8, coarsest=62, usual=33, growth=0.07, parts=1),
}
"""By the codec's name in a job. libvpx and FFmpeg's SVT-AV1 take whole numbers only."""


class Tried(Contract):
    """A chunk that was encoded, and what it scored."""

    number: int
    crf: float
    vmaf: float


class Wave(Contract):
    """Chunks to encode side by side, at one CRF."""

    crf: float
    chunks: tuple[int, ...]


def every(frames: int) -> int:
    """Every so-many-th frame of a film of this length is scored, as scoring is costly; a short
    one has too few, and a hundred do for a long one. Coprime with the distance of keyframes and
    with the pattern of B-frames, as frames of one kind score alike (decision 26)."""
    steps = ((4000, 41), (2000, 23), (1000, 17), (400, 7))
    return next((step for enough, step in steps if frames >= enough), 5)


def target_of(quality: str) -> float:
    """The score in `vmaf:95`."""
    return float(quality.partition(":")[2])


def next_wave(
    codec: str,
    target: float,
    frames: Sequence[int],
    tried: Sequence[Tried],
    sure: float = SURE,
) -> Wave | None:
    """What to encode next; None once the whole is near enough to its target, or cannot be.

    `frames` has the length of each chunk; `tried` what was encoded, in its order. Chunks that
    were encoded already are encoded anew only if they must be.
    """
    film = _Film(SCALES[codec], target, tuple(frames), tuple(tried), sure)
    left = [number for number in _order(frames) if number not in film.known]
    if not left:
        return _mend(film)
    return _too_coarse(film) or _onward(film, left)


@dataclass(frozen=True)
class _Film:
    """What is known of the film, and the curve that is drawn through it."""

    scale: Scale
    target: float
    frames: tuple[int, ...]
    tried: tuple[Tried, ...]
    sure: float

    @cached_property
    def known(self) -> Mapping[int, Tried]:
        """By chunk, what was encoded last."""
        return {each.number: each for each in self.tried}

    @cached_property
    def total(self) -> int:
        return sum(self.frames)

    @cached_property
    def done(self) -> int:
        return sum(self.frames[number] for number in self.known)

    @cached_property
    def slope(self) -> float | None:
        """What a step of CRF did to chunks that were encoded twice, as a logarithm of the loss.
        A score of 0 is as low as scores go, and tells nothing of it."""
        rise = run = 0.0
        before: dict[int, Tried] = {}
        for after in self.tried:
            one = before.get(after.number)
            if one is not None and min(one.vmaf, after.vmaf) > 0:
                sign = math.copysign(1, after.crf - one.crf)
                run += abs(after.crf - one.crf)
                rise += sign * math.log(_loss(after.vmaf) / _loss(one.vmaf))
            before[after.number] = after
        return rise / run if run else None

    @cached_property
    def growth(self) -> float:
        """By the slope; of a saturated picture, or of noise, it is not followed far."""
        usual = self.scale.growth
        return usual if self.slope is None else min(max(self.slope, usual / 3), usual * 3)

    def lost(self, numbers: Sequence[int]) -> float:
        """What these chunks lose, added up over their frames."""
        return sum(self.frames[n] * _loss(self.known[n].vmaf) for n in numbers)

    def hardness(self, number: int) -> float:
        """What a chunk loses in a frame, on its curve at CRF 0."""
        chunk = self.known[number]
        return _loss(chunk.vmaf) * math.exp(-self.growth * chunk.crf)

    @cached_property
    def mean_hardness(self) -> float:
        """What is expected of a chunk that is not encoded yet."""
        weight = GUESSED * self.total / len(self.frames)
        first = (100 - self.target) * math.exp(-self.growth * self.guess)
        known = sum(self.frames[n] * self.hardness(n) for n in self.known)
        return (weight * first + known) / (weight + self.done)

    @property
    def guess(self) -> float:
        """The CRF before anything is known."""
        return self.scale.usual + math.log((100 - self.target) / 5) / self.scale.growth

    @cached_property
    def even(self) -> float:
        """The CRF at which all chunks alike would meet the target."""
        known = sum(self.frames[n] * self.hardness(n) for n in self.known)
        unknown = (self.total - self.done) * self.mean_hardness
        return self.solve((100 - self.target) * self.total, known + unknown)

    def solve(self, loss: float, hardness: float) -> float:
        """The CRF at which frames of this hardness, added up, lose so much."""
        return math.log(loss / hardness) / self.growth if loss > 0 else -math.inf

    def near(self, crf: float) -> float:
        """The nearest CRF that the encoder takes and that is not too far from the even one."""
        bounded = min(max(crf, self.even - APART), self.even + APART)
        return _step(self.scale, bounded)


def reached(
    quality: str, frames: Sequence[int], waves: Sequence[Wave], tried: Sequence[Tried]
) -> ReachedQuality:
    """What came of it, by the chunks as they were encoded last; rounded for people."""
    last = {each.number: each for each in tried}
    total = sum(frames)
    crfs = [last[number].crf for number in range(len(frames))]
    score = sum(last[n].vmaf * own for n, own in enumerate(frames)) / total
    told, results = [], iter(tried)
    for wave in waves:
        lengths = [frames[number] for number in wave.chunks]
        sums = sum(next(results).vmaf * own for own in lengths)
        vmaf = round(sums / sum(lengths), 2)
        told.append(QualityWave(crf=wave.crf, vmaf=vmaf, chunks=len(lengths)))
    return ReachedQuality(
        target=quality,
        model=VMAF_MODEL,
        vmaf=round(score, 2),
        every=every(total),
        crf=round(sum(crf * own for crf, own in zip(crfs, frames, strict=True)) / total, 2),
        finest=min(crfs),
        coarsest=max(crfs),
        waves=tuple(told),
        again=len(tried) - len(frames),
    )


def in_words(quality: ReachedQuality) -> str:
    """What was reached, for people."""
    finest, coarsest = quality.finest, quality.coarsest
    crf = f"{finest:g} to {coarsest:g}" if finest < coarsest else f"{finest:g}"
    again = f", {quality.again} chunks encoded anew" if quality.again else ""
    return (
        f"{quality.target}: {quality.vmaf:.1f} ({quality.model}, every {quality.every}th frame) "
        f"at crf {crf}, in {len(quality.waves)} waves of chunks{again}"
    )


def unreached(quality: ReachedQuality) -> list[str]:
    """A warning, if no CRF within the search's bounds meets the target."""
    off = quality.vmaf - target_of(quality.target)
    if abs(off) <= TOLERANCE:
        return []
    than = "worse" if off < 0 else "better"
    return [
        f"quality {quality.target} is not met: the picture scores {quality.vmaf:.1f}, which is "
        f"{than}, at crf {quality.finest:g} to {quality.coarsest:g}"
    ]


def _too_coarse(film: _Film) -> Wave | None:
    """Chunks of early waves once more, where so little was known that people would see it."""
    tries = Counter(each.number for each in film.tried)
    chunks = [n for n, chunk in film.known.items() if chunk.crf > film.even + TOO_COARSE]
    open_ = tuple(number for number in chunks if tries[number] == 1)
    return Wave(crf=film.near(film.even), chunks=open_) if open_ else None


def _onward(film: _Film, left: list[int]) -> Wave:
    """The next chunks, at the even CRF, or beside it as far as the whole needs it."""
    to_come = (film.total - film.done) * film.mean_hardness
    lost = film.lost(tuple(film.known))
    allowed = [(100 - film.target + sign * CLOSE) * film.total - lost for sign in (-1, 1)]
    finest, coarsest = (film.solve(loss, to_come) for loss in allowed)
    crf = film.near(min(max(film.even, finest), coarsest))
    return Wave(crf=crf, chunks=_taken(film, left))


def _taken(film: _Film, left: list[int]) -> tuple[int, ...]:
    """Few at first, then as many as are done, then half of what is left."""
    spread = SPREAD * (100 - film.target)
    miss = spread * math.sqrt(sum(film.frames[n] ** 2 for n in left)) / film.total
    rest = film.total - film.done
    if film.done >= film.total / 4 and miss <= film.sure:
        return tuple(left)
    wanted = min(film.done, rest / 2) if film.known else film.total * FIRST
    taken: list[int] = []
    so_far = 0
    for number in left:
        if taken and so_far + film.frames[number] / 2 > wanted:
            break
        taken.append(number)
        so_far += film.frames[number]
    return tuple(taken)


def _mend(film: _Film) -> Wave | None:
    """The least that brings the whole near to its target, of chunks that are far on the wrong
    side of the even CRF."""
    off = film.target - (100 - film.lost(tuple(film.known)) / film.total)
    unmoved = film.slope is not None and film.slope < film.scale.growth / 10
    if abs(off) <= MEND or unmoved:  # a still picture may score the same at every CRF
        return None
    worst = math.copysign(1, -off)  # too low a score: the coarsest first
    tries = Counter(each.number for each in film.tried)
    order = sorted(
        (number for number in film.known if tries[number] < MOST_TRIES),
        key=lambda n: (worst * film.known[n].crf, film.frames[n], n),
    )
    ways = [_anew(film, order[first:]) for first in range(len(order))]
    useful = [(miss, frames, wave) for miss, frames, wave in ways if wave.chunks]
    return min(useful, key=lambda way: way[:2])[2] if useful else None


def _anew(film: _Film, order: Sequence[int]) -> tuple[float, int, Wave]:
    """As few of these as it takes, encoded anew: by how much the whole then still misses, how
    many frames that costs, and the wave."""
    allowed = (100 - film.target) * film.total
    others, hardness, crf, miss = film.lost(tuple(film.known)), 0.0, 0.0, math.inf
    chosen: list[int] = []
    for number in order:
        chosen.append(number)
        others -= film.lost((number,))
        hardness += film.frames[number] * film.hardness(number)
        crf = film.near(film.solve(allowed - others, hardness))
        then = others + hardness * math.exp(film.growth * crf)
        miss = max(abs(then - allowed) / film.total, CLOSE)
        if miss <= CLOSE:
            break
    changed = tuple(number for number in chosen if film.known[number].crf != crf)
    return miss, sum(film.frames[number] for number in changed), Wave(crf=crf, chunks=changed)


def _order(frames: Sequence[int]) -> list[int]:
    """Chunks from all over the film, so that the first ones stand for it; the shortest last."""
    total = sum(frames)
    ends = list(accumulate(frames))
    middles = [(end - own / 2) / total for end, own in zip(ends, frames, strict=True)]
    by_length = sorted(range(len(frames)), key=lambda number: (frames[number], -number))
    short: list[int] = []
    for number in by_length:
        if sum(frames[n] for n in short) + frames[number] > SHORT * total:
            break
        short.insert(0, number)
    left = [number for number in range(len(frames)) if number not in short]
    spread: list[int] = []
    while left:
        place = _radical_inverse(len(spread) + 1)
        spread.append(min(left, key=lambda number: (abs(middles[number] - place), number)))
        left.remove(spread[-1])
    return spread + short


def _radical_inverse(number: int) -> float:
    """1/2, 1/4, 3/4, 1/8, 5/8, …: van der Corput's sequence, which never leaves a large gap."""
    value, digit = 0.0, 0.5
    while number:
        value += digit * (number % 2)
        number, digit = number // 2, digit / 2
    return value


def _loss(vmaf: float) -> float:
    return max(100 - vmaf, LEAST_LOSS)


def _step(scale: Scale, crf: float) -> float:
    """The nearest value that the encoder takes, within the bounds of the search."""
    bounded = min(max(crf, scale.finest), scale.coarsest)
    return float(Fraction(round(bounded * scale.parts), scale.parts))
