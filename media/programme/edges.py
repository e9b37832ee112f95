"""Edges of parts: where one meets another, or silence, and would be heard as a click."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from longtake.contracts.loudness import Loudness
from longtake.contracts.stitch import Fade
from media.programme.plan import StitchPlan
from media.programme.timeline import Timeline
from media.sound.pcm import Pcm, Samples

EDGE_S = 0.005
"""Of a fade where the waveform would jump."""
_AROUND_S = 0.02
"""So far on each side a waveform is looked at for its own steps."""
_QUIETEST_STEP = 10 ** (-80 / 20)
"""A step of less is not heard."""


@dataclass(frozen=True)
class Ready:
    """A prepared part: its samples, and how loud they are."""

    sound: Pcm
    loudness: Loudness


@dataclass(frozen=True)
class Edges:
    """Fades of a part, in samples; 0: none."""

    fade_in: int
    fade_out: int


def gain_db(plan: StitchPlan, number: int, loudness: Loudness) -> float:
    """What brings a part to its loudness in the mix; a part without one stays as it is."""
    wanted, own = plan.loudness_of(number), plan.job.timeline[number].gain_db or 0.0
    if wanted is None or loudness.integrated_lufs is None:
        return own
    return wanted - loudness.integrated_lufs + own


def edges_of(plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline) -> list[Edges]:
    """Fades of each part of the line: those asked for; and short ones where a part meets another,
    or silence, with a step that its own waveform does not have.

    So a recording that was cut into parts is joined as it was, sample by sample.
    """
    line, placed = plan.job.line, timeline.placed
    asked = [plan.job.timeline[number] for number in line]
    found = []
    for at, number in enumerate(line):
        before = line[at - 1] if at and not placed[at].gap and not asked[at - 1].fade_out else None
        follows = at + 1 < len(line)
        meets = follows and not placed[at + 1].gap and not asked[at + 1].fade_in
        behind = line[at + 1] if meets else None
        jumps_in = not placed[at].overlap and jumps(plan, parts, before, number)
        overlaps = follows and placed[at + 1].overlap
        jumps_out = not overlaps and jumps(plan, parts, number, behind)
        samples = placed[at].samples
        found.append(
            Edges(
                fade_length(plan, asked[at].fade_in, samples, edge=jumps_in),
                fade_length(plan, asked[at].fade_out, samples, edge=jumps_out),
            )
        )
    return found


def fade_length(plan: StitchPlan, fade: Fade | None, samples: int, *, edge: bool) -> int:
    """Samples of a fade: as asked for, or short where the waveform would jump (`edge`); else 0."""
    seconds = fade.length_s if fade else EDGE_S if edge else 0
    return min(samples, round(seconds * plan.rate_hz))


def jumps(plan: StitchPlan, parts: Sequence[Ready], before: int | None, behind: int | None) -> bool:
    """Whether the step from one part to the next (None: silence) is larger than all the steps
    within them around it, in one of the channels."""
    count = round(_AROUND_S * plan.rate_hz)
    left = _around(plan, parts, before, count, tail=True)
    right = _around(plan, parts, behind, count, tail=False)
    for one, other in zip(left, right, strict=True):
        own = max((abs(b - a) for side in (one, other) for a, b in pairwise(side)), default=0.0)
        step = abs((other[0] if other else 0.0) - (one[-1] if one else 0.0))
        if step > max(own, _QUIETEST_STEP):
            return True
    return False


def _around(
    plan: StitchPlan, parts: Sequence[Ready], number: int | None, count: int, *, tail: bool
) -> list[list[float]]:
    """The last or first samples of a part as they are in the mix, by channel."""
    if number is None:
        return [[] for _ in range(plan.channels)]
    sound = parts[number].sound
    gain = 10 ** (gain_db(plan, number, parts[number].loudness) / 20)
    samples: Samples[float] = sound.read(sound.samples - count if tail else 0, count)
    channels = [[gain * v for v in samples[n :: sound.channels]] for n in range(sound.channels)]
    return channels * (plan.channels // sound.channels)
