"""What a chunk's encoder must be told so that the chunk has its share of bytes.

Rate control has too little room in a chunk: x264, x265 and libvpx are told another rate when they
missed it, and an encoder that is lost altogether is told a constant quality. In whole numbers, so
that every machine finds the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from longtake.contracts.codecs import ENCODINGS
from media.children.process import Finished
from media.encoders import ENCODERS
from media.transcode.plan import VideoPlan

CLOSE = Fraction(3, 100)
"""So near to its share a chunk is good: half of what one step of SVT-AV1's scale changes."""
MOST_TRIES = 6
MOST_AIMS = 4
GAIN = Fraction(1, 50)
"""A correction of the rate that gains less of the share is the last."""
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
    sizes, tried = {first: at_analysis}, set[int]()
    with _Nearest(wanted, target) as nearest:
        while len(tried) < MOST_TRIES and not nearest.close:
            crf = next_quality(sizes, wanted, scale[0], scale[1])
            if crf in tried:
                break
            sizes[crf], _ = await nearest.attempt(crf, encode)
            tried.add(crf)
    return nearest.finished


async def encode_to_rate(aim_bps: int, wanted: int, target: Path, encode: Encode) -> Finished:
    """Encode to about `wanted` bytes in `target`, told `aim_bps` at first; the nearest one stays.

    What was missed is the next aim's correction, until no more is gained by it: an encoder may
    be at the end of its scale. Raises what `encode` raises.
    """
    with _Nearest(wanted, target) as nearest:
        for _ in range(MOST_AIMS):
            size, gained = await nearest.attempt(aim_bps, encode)
            if nearest.close or gained < GAIN * wanted:
                break
            aim_bps = max(1000, aim_bps * wanted // max(1, size))
    return nearest.finished


async def encode_within_cap(
    video: VideoPlan, seconds: Fraction, target: Path, encode: Encode
) -> Finished | None:
    """Encode a chunk of so many seconds anew where `target` passes the plan's cap, and its encoder
    is one that may; None where it is kept.

    SVT-AV1 keeps a cap over many seconds, and passed it by a third in chunks of 5 s (measured on
    noise). `encode` is told a lower one. Raises what it raises.
    """
    most = video.settings.max_bitrate_bps
    if most is None or not ENCODERS[video.encoder].passes_its_cap:
        return None
    wanted, size = int(most * seconds / 8), (await asyncio.to_thread(target.stat)).st_size
    if size <= (1 + CLOSE) * wanted:
        return None
    return await encode_to_rate(most * wanted // size, wanted, target, encode)


class _Nearest:
    """Tries of one chunk: the one nearest to `wanted` bytes stays in `target`, the costs of all
    are summed up."""

    def __init__(self, wanted: int, target: Path) -> None:
        self._wanted, self._target = wanted, target
        self._draft = target.with_name(f"{target.name}.try")
        self._best: Finished | None = None
        self._cpu_s = self._wall_s = 0.0
        self._missed: int | None = None

    def __enter__(self) -> _Nearest:
        return self

    def __exit__(self, *_: object) -> None:
        self._draft.unlink(missing_ok=True)

    async def attempt(self, told: int, encode: Encode) -> tuple[int, int]:
        """Encode once more; how many bytes that took, and by how many it is nearer."""
        done = await encode(told, self._draft)
        self._cpu_s, self._wall_s = self._cpu_s + done.cpu_s, self._wall_s + done.wall_s
        size = self._draft.stat().st_size
        missed = abs(size - self._wanted)
        gained = self._wanted if self._missed is None else self._missed - missed
        if gained > 0:
            self._draft.replace(self._target)
            self._best, self._missed = done, missed
        return size, gained

    @property
    def close(self) -> bool:
        """Whether one of them is near enough."""
        return self._missed is not None and self._missed <= CLOSE * self._wanted

    @property
    def finished(self) -> Finished:
        """The nearest one, with the costs of all."""
        if self._best is None:
            raise ValueError("nothing was tried")
        return replace(self._best, cpu_s=self._cpu_s, wall_s=self._wall_s)


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
