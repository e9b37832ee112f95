"""Test encodes of one sample of a film: every size and quality from one decode, and their scores.

Each is scaled up to the size of the source and compared with it there, as a viewer would.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.ladder import Trial
from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, in_turn, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import escaped, written
from media.package.plan import PackagePlan
from media.package.rungs import encode_rungs
from media.package.rungs import recipe as rung_recipe
from media.package.trial_plan import Sample, model_of
from media.picture.pixels import SCALER
from media.probing.index import Index
from media.transcode.chunks import Chunk
from media.transcode.fragments import frame_sizes
from media.transcode.timing import planned_times
from media.transcode.video import head, with_files
from media.transcode.vmaf import ALIKE

SCORED = 2
"""Frames of a sample that are scored: each shows the other's motion, which VMAF looks at."""


async def measure_trials(
    source: Path, sample: Sample, index: Index, draft: Path, on_tick: OnTick
) -> tuple[Finished, list[Trial]]:
    """Encode the beginning of a GOP in all sizes and qualities, and measure each.

    A test encode is short and quick, and so looks as the job's own would at a higher CRF: its
    encoder does not see how long a picture stays (measured: 3 to 5 steps of x264 on still films).
    By how much, one whole GOP tells, encoded in the smallest size as the job would. The trials
    have the CRF of the job's own encoder.

    Leaves nothing beside `draft`. Raises what `encode_rungs` raises.
    """
    plan, chunk = sample.plan, sample.chunk
    targets = {n: draft.with_name(f"{draft.name}.{n}.mp4") for n in range(len(plan.renditions))}
    report = draft.with_name(f"{draft.name}.json")
    whole = draft.with_name(f"{draft.name}.gop.mp4")
    frames = len(planned_times(plan.picture, index, chunk))
    try:
        encoded = await encode_rungs(source, plan, index, chunk, targets, on_tick)
        scored = await _score(source, plan, chunk, frames, targets, report)
        proven = await encode_rungs(source, sample.proof, index, sample.gop, {0: whole}, on_tick)
        scores = _scores(report, len(targets))
        trials = [
            Trial(
                width=each.width,
                height=each.height,
                crf=each.video.settings.crf or 0,
                bps=_rate(index, chunk, plan.gop_s, frame_sizes(targets[number])),
                vmaf=scores[number],
            )
            for number, each in enumerate(plan.renditions)
        ]
        actual = _rate(index, sample.gop, plan.gop_s, frame_sizes(whole))
    finally:
        for path in (*targets.values(), report, whole):
            path.unlink(missing_ok=True)
    shift = _shift(trials, sample.proof.picture.settings.crf or 0, actual)
    moved = [trial.model_copy(update={"crf": round(trial.crf + shift, 2)}) for trial in trials]
    return in_turn(encoded, scored, proven), moved


def recipe(sample: Sample) -> list[object]:
    """Everything of the plans, but the sample's edges, that shapes what is measured."""
    plan = sample.plan
    encodes = [rung_recipe(plan, number) for number in range(len(plan.renditions))]
    return [*encodes, rung_recipe(sample.proof, 0), model_of(plan), SCORED]


def _rate(index: Index, chunk: Chunk, gop_s: Fraction, sizes: Sequence[int]) -> int:
    """bit/s of GOPs like the one that begins so: its keyframe, and as many frames like its others
    as a GOP has."""
    pts = index.slice(chunk.start_pts, chunk.end_pts)
    end = index.end_pts if chunk.end_pts is None else chunk.end_pts
    seconds = max((end - pts[0]) * index.time_base, Fraction(1, 1000))
    other = Fraction(sum(sizes[1:]), max(1, len(sizes) - 1))
    others = max(len(sizes) / seconds * gop_s - 1, Fraction(0))
    return max(1, round(8 * (sizes[0] + other * others) / gop_s))


def _shift(trials: Sequence[Trial], crf: float, actual_bps: int) -> float:
    """By how many steps of CRF the job's encoder may be coarser than the test encodes for the same
    rate: it takes `actual_bps` at `crf` for the smallest size."""
    smallest = [trial for trial in trials if trial.width == trials[-1].width]
    fine, coarse = smallest[:2]
    step = coarse.crf - fine.crf
    fall = math.log(fine.bps / coarse.bps)
    if fall <= 0:  # nothing to encode: every quality takes the same
        return 0.0
    alike = fine.crf + step * math.log(fine.bps / actual_bps) / fall
    return min(max(crf - alike, 0.0), step)


async def _score(
    source: Path,
    plan: PackagePlan,
    chunk: Chunk,
    frames: int,
    targets: Mapping[int, Path],
    report: Path,
) -> Finished:
    """Compare what was encoded with the source, at the source's size."""
    video = plan.picture
    begin = Ffmpeg.from_keyframe(chunk.seek_pts, video.time_base)
    as_stored = ("-display_rotation", "0") if video.turned_late else ()
    command = Ffmpeg.quiet().read(source, plan.demuxer, "-copyts", *begin, *as_stored)
    for target in targets.values():
        command = command.read(target, "mov")
    with written(video.files, targets[0]) as files:
        graph = _graph(plan, chunk, frames, report, files)
        command = command.then(
            *("-filter_complex", ";".join(graph), "-map", "[scored]", "-fps_mode", "passthrough"),
            *("-enc_time_base", "filter", "-f", "null", "-"),
        )
        try:
            return await run_ffmpeg(command.arguments())
        except ProcessFailed as error:
            raise InputCorrupt(
                f"{source.name} could not be scored (exit code {error.code}): {error.stderr}"
            ) from error


def _graph(
    plan: PackagePlan, chunk: Chunk, frames: int, report: Path, files: Mapping[str, str]
) -> list[str]:
    """All test encodes behind each other against the same few frames of the source, over and over,
    so that one libvmaf scores all. The first encode comes twice: the very first frame has no
    motion."""
    top, count = plan.renditions[0], len(plan.renditions)
    source = filters((*head(top.video, chunk), with_files(filters(top.video.filters), files)))
    chains = [
        f"[0:{top.video.stream}]{filters((source or None, _alike(plan, frames)))}"
        f",loop=loop={count}:size={SCORED},{_IN_ORDER}[source]"
    ]
    for number in range(count):
        twice = ",split[encoded][encoded0]" if number == 0 else f"[encoded{number}]"
        chains.append(
            f"[{number + 1}:v]{_alike(plan, frames)}"
            f",scale={top.width}:{top.height}:flags={SCALER},setsar=1{twice}"
        )
    encoded = "".join(f"[encoded{number}]" for number in range(count))
    chains.append(f"[encoded]{encoded}concat=n={count + 1},{_IN_ORDER}[all]")
    chains.append(
        f"[all][source]libvmaf=model=version={model_of(plan)}:n_threads=1"
        f":log_fmt=json:log_path={escaped(report)}[scored]"
    )
    return chains


_IN_ORDER = "settb=1/1000,setpts=N*40"


def _alike(plan: PackagePlan, frames: int) -> str:
    """The frames in the middle of the sample, on one clock and in one format; where there is but
    one, it comes twice."""
    first = max(0, (frames - SCORED) // 2)
    kept = f"select=between(n\\,{first}\\,{first + SCORED - 1})"
    twice = ",tpad=stop=1:stop_mode=clone" if frames < SCORED else ""
    return f"{kept},format={plan.picture.pixel_format},setsar=1,{ALIKE}{twice}"


def _scores(report: Path, count: int) -> list[float]:
    """The mean VMAF of each test encode, behind what the first one got at first."""
    frames = json.loads(report.read_text("ascii"))["frames"]
    scores = [float(frame["metrics"]["vmaf"]) for frame in frames]
    groups = (scores[SCORED * number :][:SCORED] for number in range(1, count + 1))
    return [round(sum(group) / SCORED, 2) for group in groups]
