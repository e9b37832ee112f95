"""The mix: all parts of a programme in one pass, to the sample.

The line of parts is a chain: FFmpeg's `concat` where a part follows at once, `acrossfade` where
it is faded in (its length is a + b - overlap, exact; measured). Music beds are added to it, held
down by the speech itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from longtake.contracts.loudness import Loudness
from longtake.contracts.stitch import Fade
from longtake.errors import InputCorrupt
from media.command import Ffmpeg, filters
from media.pcm import ENCODER, MUXER, Pcm, Samples
from media.prepare import spread
from media.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.stitch import StitchPlan
from media.timeline import Bed, Timeline, beds
from media.tools import simd_baseline

EDGE_S = 0.005
"""Of a fade where the waveform would jump."""
_AROUND_S = 0.02
"""So far on each side a waveform is looked at for its own steps."""
_QUIETEST_STEP = 10 ** (-80 / 20)
"""A step of less is not heard."""

DUCK_DB = 10.0
"""How far a music bed goes down under speech."""
KEY_RANGE_DB = 20.0
"""Ducking begins with speech so far below its own loudness."""
_ATTACK_MS, _RELEASE_MS = 20, 600
_LEAST_THRESHOLD = 0.000976563
"""Of FFmpeg's compressor."""


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


async def mix(
    plan: StitchPlan, parts: Sequence[Ready], target: Path, on_tick: OnTick
) -> tuple[Timeline, Finished]:
    """Write the programme's samples to `target`, before its last stage.

    Raises InputCorrupt if not every sample came out, and what `run_ffmpeg` raises.
    """
    timeline = plan.timeline([part.sound.samples for part in parts])
    command = mix_command(plan, parts, timeline, target)
    try:
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the parts could not be mixed (exit code {error.code}): {error.stderr}"
        ) from error
    made = Pcm(target, plan.rate_hz, plan.channels).samples
    if made != timeline.samples:
        raise InputCorrupt(f"the mix came out with {made} of {timeline.samples} samples")
    return timeline, finished


def mix_command(
    plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline, target: Path
) -> Ffmpeg:
    """The command that mixes the prepared parts."""
    command = Ffmpeg.quiet().cpu_level(simd_baseline())
    for number, part in enumerate(parts):
        # A bed is read over and over; what lies under its last part is cut off.
        loop = ("-stream_loop", "-1") if number not in plan.job.line else ()
        command = command.read_samples(part.sound.path, plan.rate_hz, part.sound.channels, *loop)
    return (
        command.then("-filter_complex", graph_of(plan, parts, timeline), "-map", "[mix]")
        .then("-c:a", ENCODER)
        .write(target, MUXER)
    )


def graph_of(plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline) -> str:
    """FFmpeg's filter graph of the mix: with the parts, everything that shapes it."""
    return ";".join([*_line(plan, parts, timeline), *_under(plan, parts, timeline)])


def decisions_of(
    plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline, decoded: Sequence[int]
) -> dict[str, str]:
    """What became of each part, for people. `decoded`: samples before silence was taken out."""
    found = {}
    for number, part in enumerate(parts):
        samples, rate = part.sound.samples, plan.rate_hz
        words = [f"{samples / rate:.3f} s", f"{gain_db(plan, number, part.loudness):+.1f} dB"]
        if samples < decoded[number]:
            words.append(f"{(decoded[number] - samples) / rate:.3f} s of silence taken out")
        found[plan.parts[number].name] = ", ".join(words)
    found["programme"] = (
        f"{timeline.samples / plan.rate_hz:.3f} s, {timeline.samples} samples, "
        f"{plan.rate_hz} Hz, {'mono' if plan.channels == 1 else 'stereo'}"
    )
    return found


def warnings_of(plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline) -> tuple[str, ...]:
    """What could not be done as asked."""
    words = [
        f"{part.name} is silent, or shorter than 0.4 s: its level was left alone"
        for number, part in enumerate(plan.parts)
        if plan.loudness_of(number) is not None and parts[number].loudness.integrated_lufs is None
    ]
    words += [
        f"{plan.parts[number].name}: its crossfade was shortened to "
        f"{placed.overlap / plan.rate_hz:.3f} s, half of the shorter part"
        for placed, number in zip(timeline.placed, plan.job.line, strict=True)
        if placed.shortened
    ]
    return tuple(words)


def _line(plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline) -> Iterator[str]:
    """The parts one after the other, as `[line]`."""
    edges = edges_of(plan, parts, timeline)
    last = len(timeline.placed) - 1
    for at, number in enumerate(plan.job.line):
        placed, part = timeline.placed[at], parts[number]
        options = plan.job.timeline[number]
        gap = timeline.placed[at + 1].gap if at < last else 0
        steps = (
            *_voice(plan, number, part),
            *_fades(edges[at], placed.samples, options.fade_in, options.fade_out),
            f"apad=pad_len={gap}" if gap else None,
        )
        yield f"[{number}:a]{filters(steps)}[{_name(at, last, 'p')}]"
        if at:
            how = (
                f"acrossfade=ns={placed.overlap}:c1={placed.curve_out}:c2={placed.curve_in}"
                if placed.overlap
                else "concat=n=2:v=0:a=1"
            )
            before = "p0" if at == 1 else f"j{at - 1}"
            yield f"[{before}][p{at}]{how}[{'line' if at == last else f'j{at}'}]"


def _name(at: int, last: int, letter: str) -> str:
    return "line" if last == 0 else f"{letter}{at}"


def _voice(plan: StitchPlan, number: int, part: Ready) -> tuple[str | None, ...]:
    """A part at its level, on the programme's channels."""
    gain = gain_db(plan, number, part.loudness)
    return (
        "aformat=sample_fmts=dblp",
        spread(part.sound.channels, plan.channels),
        f"volume={gain:.4f}dB:precision=double",
    )


def _fades(edges: Edges, samples: int, fade_in: Fade | None, fade_out: Fade | None) -> list[str]:
    words = []
    if edges.fade_in:
        curve = fade_in.curve if fade_in else "tri"
        words.append(f"afade=t=in:ss=0:ns={edges.fade_in}:curve={curve}")
    if edges.fade_out:
        curve = fade_out.curve if fade_out else "tri"
        first = samples - edges.fade_out
        words.append(f"afade=t=out:ss={first}:ns={edges.fade_out}:curve={curve}")
    return words


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
        jumps_in = not placed[at].overlap and _jumps(plan, parts, before, number)
        overlaps = follows and placed[at + 1].overlap
        jumps_out = not overlaps and _jumps(plan, parts, number, behind)
        samples = placed[at].samples
        found.append(
            Edges(
                _length(plan, asked[at].fade_in, samples, edge=jumps_in),
                _length(plan, asked[at].fade_out, samples, edge=jumps_out),
            )
        )
    return found


def _length(plan: StitchPlan, fade: Fade | None, samples: int, *, edge: bool) -> int:
    seconds = fade.length_s if fade else EDGE_S if edge else 0
    return min(samples, round(seconds * plan.rate_hz))


def _jumps(
    plan: StitchPlan, parts: Sequence[Ready], before: int | None, behind: int | None
) -> bool:
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


def _under(plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline) -> Iterator[str]:
    """The music beds under the line, as `[mix]`."""
    under = {
        number: part.under
        for number, part in enumerate(plan.job.timeline)
        if part.role == "music-bed"
    }
    laid = beds(plan.job.line, under, timeline)
    if not laid:
        yield "[line]anull[mix]"
        return
    keys = [bed for bed in laid if _duck_db(plan, bed)]
    names = "".join(f"[k{bed.part}]" for bed in keys)
    yield f"[line]asplit={1 + len(keys)}[voices]{names}"
    for bed in laid:
        yield from _bed(plan, parts[bed.part], bed, timeline)
    inputs = "".join(f"[b{bed.part}]" for bed in laid)
    # Sums: nothing is made softer because something is added.
    yield f"[voices]{inputs}amix=inputs={1 + len(laid)}:duration=first:normalize=0[mix]"


def _bed(plan: StitchPlan, part: Ready, bed: Bed, timeline: Timeline) -> Iterator[str]:
    options, samples = plan.job.timeline[bed.part], bed.end - bed.first
    edges = Edges(
        _length(plan, options.fade_in, samples, edge=True),
        _length(plan, options.fade_out, samples, edge=True),
    )
    steps = (
        f"atrim=end_sample={samples}",
        *_voice(plan, bed.part, part),
        *_fades(edges, samples, options.fade_in, options.fade_out),
        f"adelay=delays={bed.first}S:all=1" if bed.first else None,
        f"apad=whole_len={timeline.samples}",
    )
    depth = _duck_db(plan, bed)
    yield f"[{bed.part}:a]{filters(steps)}[{'m' if depth else 'b'}{bed.part}]"
    if depth:
        # What is no speech does not duck: the key is the line without it.
        spoken = "+".join(
            f"between(t,{placed.first / plan.rate_hz:.6f},{placed.end / plan.rate_hz:.6f})"
            for placed, number in zip(timeline.placed, plan.job.line, strict=True)
            if plan.job.timeline[number].role == "speech"
        )
        yield f"[k{bed.part}]volume=volume=0:enable='not({spoken or 0})'[s{bed.part}]"
        yield f"[m{bed.part}][s{bed.part}]{_ducking(plan, depth)}[b{bed.part}]"


def _duck_db(plan: StitchPlan, bed: Bed) -> float:
    depth = plan.job.timeline[bed.part].duck_db
    return DUCK_DB if depth is None else depth


def _ducking(plan: StitchPlan, depth_db: float) -> str:
    """A compressor whose gain is -`depth_db` where the speech has its loudness: that lies
    KEY_RANGE_DB over the threshold, of which the ratio takes the depth."""
    threshold = 10 ** ((plan.aim.integrated_lufs - KEY_RANGE_DB) / 20)
    ratio = KEY_RANGE_DB / (KEY_RANGE_DB - depth_db)
    return (
        f"sidechaincompress=threshold={max(threshold, _LEAST_THRESHOLD):.6f}:ratio={ratio:.4f}"
        f":attack={_ATTACK_MS}:release={_RELEASE_MS}:knee=1"
    )
