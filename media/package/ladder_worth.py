"""Is an automatic ladder worth having beside the fixed one? By what the test encodes tell of both.

The fixed ladder has a constant quality under its caps, and on some films its rungs lie on the hull
already. Others in their place would have no better price, and what is read between test encodes
is not so exact that a small gain can be believed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from longtake.contracts.ladder import ChosenRung, Trial
from longtake.contracts.package import Rung
from media.package.hull import STEPS, TOP, between, loss

WORTH = 0.95
"""Of the fixed ladder's bytes at equal VMAF: what an automatic one takes at most. A
ratio that test encodes tell was met within 0.05 (measured on three films)."""


def expected(rung: Rung, crf: float, trials: Sequence[Trial]) -> ChosenRung:
    """A rung of the fixed ladder at this quality; `trials` are of its size, the finest first."""
    pair = next((each for each in pairwise(trials) if crf <= each[1].crf), tuple(trials[-2:]))
    one, other = pair
    part = (crf - one.crf) / (other.crf - one.crf)
    if between(one.bps, other.bps, part) > rung.max_bitrate_bps:
        part = math.log(one.bps / rung.max_bitrate_bps) / math.log(one.bps / other.bps)
    return ChosenRung(
        width=one.width,
        height=one.height,
        crf=crf,
        bps=max(1, round(between(one.bps, other.bps, part))),
        vmaf=round(max(0.0, 100 - between(loss(one), loss(other), part)), 2),
        max_bitrate_bps=rung.max_bitrate_bps,
    )


def is_worth_it(rungs: Sequence[Trial], usual: Sequence[Trial]) -> bool:
    """Do these rungs take less than the `usual` ones for the same VMAF, of which more than `TOP` is
    not seen?"""
    same = sum(price(rungs, min(each.vmaf, TOP)) for each in usual)
    return same <= WORTH * sum(each.bps for each in usual)


def below(last: ChosenRung, rungs: Sequence[ChosenRung]) -> list[ChosenRung]:
    """Of these rungs those for lines that do not carry the fixed ladder's last."""
    worse = [each for each in rungs if each.vmaf < last.vmaf and each.height <= last.height]
    return [each for each in worse if STEPS[0] * each.bps <= last.bps]


def price(rungs: Sequence[Trial], vmaf: float) -> float:
    """What a ladder takes in bit/s at a score: between its rungs, beyond the first as from the
    second to the first. Below the last there is nothing cheaper."""
    rising = sorted(rungs, key=lambda rung: rung.vmaf)
    if vmaf <= rising[0].vmaf or len(rising) == 1:
        return rising[0].bps
    pairs = list(pairwise(rising))
    below, above = next((pair for pair in pairs if vmaf <= pair[1].vmaf), pairs[-1])
    part = (vmaf - below.vmaf) / max(above.vmaf - below.vmaf, 0.01)
    return between(below.bps, above.bps, part)
