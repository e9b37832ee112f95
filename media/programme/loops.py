"""A music bed that is shorter than what it lies under: played over and over, without a click.

One that was made to be repeated goes on where it ends, and is repeated as it is. Where its end does
not meet its beginning, the two are blended at equal power: behind the first pass a second file is
read over and over, in which the beginning has been blended into the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from media.programme.edges import Ready, jumps
from media.programme.plan import StitchPlan
from media.programme.timeline import Bed
from media.sound.pcm import Pcm
from media.sound.silence import Span, blend_of, cut


def blended(plan: StitchPlan, parts: Sequence[Ready], laid: Sequence[Bed]) -> tuple[int, ...]:
    """Numbers of the beds that are repeated with a blend."""
    return tuple(bed.part for bed in laid if _needs_blend(plan, parts, bed))


def _needs_blend(plan: StitchPlan, parts: Sequence[Ready], bed: Bed) -> bool:
    samples = parts[bed.part].sound.samples
    repeated = bed.end - bed.first > samples >= 2 * blend_of(plan.rate_hz)
    return repeated and jumps(plan, parts, bed.part, bed.part)


def write_loop(bed: Pcm, target: Path) -> None:
    """Write what follows the first samples of `bed`, as many as a blend has: all that is behind
    them, its end blended into them. Read over and over it goes on where it began."""
    first = blend_of(bed.rate_hz)
    cut(bed, (Span(first, bed.samples), Span(first, first)), target)
