"""The mix: all parts of a programme in one pass, to the sample.

The line of parts is a chain: FFmpeg's `concat` where a part follows at once, `acrossfade` where
it is faded in (its length is a + b - overlap, exact; measured). Music beds are added to it, held
down by the speech itself.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from longtake.contracts.stitch import Fade
from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.tools import simd_baseline
from media.programme.edges import Edges, Ready, edges_of, fade_length, gain_db
from media.programme.loops import blended, write_loop
from media.programme.plan import StitchPlan
from media.programme.prepare import spread
from media.programme.timeline import Bed, Timeline, beds
from media.sound.pcm import ENCODER, MUXER, Pcm, removed
from media.sound.silence import blend_of

DUCK_DB = 10.0
"""How far a music bed goes down under speech."""
KEY_RANGE_DB = 20.0
"""Ducking begins with speech so far below its own loudness."""
_ATTACK_MS, _RELEASE_MS = 20, 600
_SAME_LU = 0.05
_LEAST_THRESHOLD = 0.000976563
"""Of FFmpeg's compressor."""


async def mix(
    plan: StitchPlan, parts: Sequence[Ready], target: Path, on_tick: OnTick
) -> tuple[Timeline, Finished]:
    """Write the programme's samples to `target`, before its last stage.

    Raises InputCorrupt if not every sample came out, and what `run_ffmpeg` raises.
    """
    timeline = plan.timeline([part.sound.samples for part in parts])
    loops = {
        number: target.with_name(f"{target.name}.loop-{number}")
        for number in blended(plan, parts, _laid(plan, timeline))
    }
    command = mix_command(plan, parts, timeline, target, loops)
    with removed(*loops.values()):
        for number, loop in loops.items():
            await asyncio.to_thread(write_loop, parts[number].sound, loop)
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
    plan: StitchPlan,
    parts: Sequence[Ready],
    timeline: Timeline,
    target: Path,
    loops: Mapping[int, Path],
) -> Ffmpeg:
    """The command that mixes the prepared parts. `loops`: of beds that repeat with a blend, by
    their numbers."""
    command, forever = Ffmpeg.quiet().cpu_level(simd_baseline()), ("-stream_loop", "-1")
    for number, part in enumerate(parts):
        # A bed is read over and over; what lies under its last part is cut off.
        bed = number not in plan.job.line and number not in loops
        sound, again = part.sound, forever if bed else ()
        command = command.read_samples(sound.path, plan.rate_hz, sound.channels, *again)
    for number, loop in loops.items():
        channels = parts[number].sound.channels
        command = command.read_samples(loop, plan.rate_hz, channels, *forever)
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


def _under(plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline) -> Iterator[str]:
    """The music beds under the line, as `[mix]`."""
    laid = _laid(plan, timeline)
    if not laid:
        yield "[line]anull[mix]"
        return
    keys = [bed for bed in laid if _duck_db(plan, bed)]
    names = "".join(f"[k{bed.part}]" for bed in keys)
    yield f"[line]asplit={1 + len(keys)}[voices]{names}"
    looped = blended(plan, parts, laid)
    for bed in laid:
        source = f"[{bed.part}:a]"
        if bed.part in looped:
            head, loop = f"[h{bed.part}]", f"[{len(parts) + looped.index(bed.part)}:a]"
            yield f"{source}atrim=end_sample={blend_of(plan.rate_hz)}{head}"
            source = f"{head}{loop}concat=n=2:v=0:a=1,"
        yield from _bed(plan, parts, bed, timeline, source)
    inputs = "".join(f"[b{bed.part}]" for bed in laid)
    # Sums: nothing is made softer because something is added.
    yield f"[voices]{inputs}amix=inputs={1 + len(laid)}:duration=first:normalize=0[mix]"


def _laid(plan: StitchPlan, timeline: Timeline) -> tuple[Bed, ...]:
    under = {
        number: part.under
        for number, part in enumerate(plan.job.timeline)
        if part.role == "music-bed"
    }
    return beds(plan.job.line, under, timeline)


def _bed(
    plan: StitchPlan, parts: Sequence[Ready], bed: Bed, timeline: Timeline, source: str
) -> Iterator[str]:
    options, samples = plan.job.timeline[bed.part], bed.end - bed.first
    edges = Edges(
        fade_length(plan, options.fade_in, samples, edge=True),
        fade_length(plan, options.fade_out, samples, edge=True),
    )
    steps = (
        f"atrim=end_sample={samples}",
        *_voice(plan, bed.part, parts[bed.part]),
        *_fades(edges, samples, options.fade_in, options.fade_out),
        f"adelay=delays={bed.first}S:all=1" if bed.first else None,
        # Endless, as its key is: a compressor whose inputs end drops what it holds of them, more or
        # less of it from run to run (measured). The line ends the mix.
        "apad",
    )
    depth = _duck_db(plan, bed)
    yield f"{source}{filters(steps)}[{'m' if depth else 'b'}{bed.part}]"
    if depth:
        key = filters(("apad", *_key(plan, parts, timeline)))
        yield f"[k{bed.part}]{key}[s{bed.part}]"
        yield f"[m{bed.part}][s{bed.part}]{_ducking(plan, depth)}[b{bed.part}]"


def _key(plan: StitchPlan, parts: Sequence[Ready], timeline: Timeline) -> Iterator[str]:
    """Filters that leave of the line what ducks: its speech, each part at the whole's loudness, so
    that one that is softer in the mix holds a bed down as far."""
    spoken = []
    for placed, number in zip(timeline.placed, plan.job.line, strict=True):
        if plan.job.timeline[number].role != "speech":
            continue
        first, end = placed.first / plan.rate_hz, placed.end / plan.rate_hz
        spoken.append(f"between(t,{first:.6f},{end:.6f})")
        own = parts[number].loudness
        gain = plan.aim.integrated_lufs - (own.integrated_lufs or 0) - gain_db(plan, number, own)
        if own.integrated_lufs is not None and abs(gain) > _SAME_LU:
            yield f"volume={gain:.4f}dB:precision=double:enable='{spoken[-1]}'"
    yield f"volume=volume=0:enable='not({'+'.join(spoken) or 0})'"


def _duck_db(plan: StitchPlan, bed: Bed) -> float:
    depth = plan.job.timeline[bed.part].duck_db
    return DUCK_DB if depth is None else depth


def _ducking(plan: StitchPlan, depth_db: float) -> str:
    """A compressor whose gain is -`depth_db` where the speech has its loudness: that lies
    KEY_RANGE_DB over the threshold, of which the ratio takes the depth.

    Loudness adds the channels up, and the compressor looks at one: of a single channel it sees 3 dB
    more. In stereo it is right as it is, for a steady tone to 0.2 dB (measured).
    """
    seen_db = plan.aim.integrated_lufs + 10 * math.log10(2 / plan.channels)
    threshold = 10 ** ((seen_db - KEY_RANGE_DB) / 20)
    ratio = KEY_RANGE_DB / (KEY_RANGE_DB - depth_db)
    return (
        f"sidechaincompress=threshold={max(threshold, _LEAST_THRESHOLD):.6f}:ratio={ratio:.4f}"
        f":attack={_ATTACK_MS}:release={_RELEASE_MS}:knee=1"
    )
