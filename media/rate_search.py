"""A bit rate without rate control: the constant quality at which a chunk has its share of bytes.

For encoders whose own rate control misses short chunks. In whole numbers, so that every machine
finds the same quality.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from longtake.contracts.codecs import ENCODINGS
from media.encoders import ENCODERS
from media.plan import VideoPlan
from media.process import Finished

CLOSE = Fraction(3, 100)
"""So near to its share a chunk is good: half of what one step of SVT-AV1's scale changes."""
MOST_TRIES = 6
_STEP = Fraction(110, 100)
"""By so much one step of the scale changes the bytes, about; 4 to 16 % were measured."""

Encode = Callable[[int, Path], Awaitable[Finished]]


async def encode_to_size(
    video: VideoPlan, at_analysis: int, wanted: int, target: Path, encode: Encode
) -> Finished:
    """Encode to about `wanted` bytes in `target`, by trying qualities; the nearest one stays.

    `at_analysis`: bytes at the encoder's `analysis_crf`. The costs of all tries are summed up.
    Raises what `encode` raises.
    """
    first = ENCODERS[video.encoder].analysis_crf
    scale = ENCODINGS[video.settings.codec].crf
    if first is None or scale is None:
        raise ValueError(f"{video.encoder} does not meet a bit rate by its quality")
    sizes, draft = {first: at_analysis}, target.with_name(f"{target.name}.try")
    best: tuple[Finished, int] | None = None
    cpu_s = wall_s = 0.0
    tried: set[int] = set()
    try:
        while len(tried) < MOST_TRIES:
            crf = next_quality(sizes, wanted, scale[0], scale[1])
            if crf in tried:
                break
            done = await encode(crf, draft)
            tried.add(crf)
            cpu_s, wall_s = cpu_s + done.cpu_s, wall_s + done.wall_s
            sizes[crf] = size = draft.stat().st_size
            if best is None or abs(size - wanted) < abs(best[1] - wanted):
                draft.replace(target)
                best = done, size
            if abs(size - wanted) <= CLOSE * wanted:
                break
    finally:
        draft.unlink(missing_ok=True)
    if best is None:
        raise ValueError("no quality was tried")
    return replace(best[0], cpu_s=cpu_s, wall_s=wall_s)


def next_quality(sizes: Mapping[int, int], wanted: int, finest: int, coarsest: int) -> int:
    """The quality to try next, by the bytes that others gave; a known one when none is nearer.

    Between the nearest known ones on both sides, each step of the scale is taken to change the
    bytes alike; after some tries the middle is taken, for noise vanishes at once somewhere.
    """
    low = max((crf for crf, size in sizes.items() if size > wanted), default=None)
    high = min((crf for crf, size in sizes.items() if size <= wanted), default=None)
    if low is not None and high is not None:
        if high - low < 2:
            return min(low, high, key=lambda crf: abs(sizes[crf] - wanted))
        if len(sizes) > 3:
            return (low + high) // 2
        step = _step(Fraction(sizes[low], max(1, sizes[high])), high - low)
        return min(max(low + _steps(sizes[low], wanted, step), low + 1), high - 1)
    if low is not None:
        return min(low + max(1, _steps(sizes[low], wanted, _STEP)), coarsest)
    assert high is not None
    return max(high - max(1, _steps(wanted, sizes[high], _STEP)), finest)


def _step(whole: Fraction, steps: int) -> Fraction:
    """By how much one step changes the bytes where `steps` of them change them `whole` times."""
    ratios = (Fraction(200 + n, 200) for n in range(1, 400))
    return next((ratio for ratio in ratios if ratio**steps >= whole), Fraction(3))


def _steps(larger: int, smaller: int, step: Fraction) -> int:
    """How many steps lie between two sizes."""
    count, size = 0, Fraction(larger)
    while size > smaller and count < 64:
        count, size = count + 1, size / step
    return count
