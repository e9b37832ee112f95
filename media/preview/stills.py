"""Single frames of a film: found by their times, made right for a screen, and written as
JPEG, as sheets of small pictures, or as an animation."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from longtake.errors import InputCorrupt
from media.children.process import Finished, ProcessFailed, run_ffmpeg
from media.encoders import webp
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import written
from media.ffmpeg.tools import table_level
from media.picture.pixels import SCALER
from media.preview.plan import Pictures, PreviewPlan
from media.probing.index import Index
from media.transcode.chunks import seek_point
from media.transcode.video import errors_before

OnFraction = Callable[[float], None]

WORTH_A_SEEK = 100
"""Frames between two wanted ones, from which on a new FFmpeg is cheaper than decoding them."""
LONGEST_RUN = 60
"""Frames that one FFmpeg looks for."""
CANDIDATE_HEIGHT = 90


@dataclass(frozen=True)
class Frames:
    """Decoded pictures, RGB, 8 bits, one behind the other."""

    width: int
    height: int
    pixels: bytes
    errors: int = 0
    """What did not decode on the way to them."""

    @property
    def size(self) -> int:
        """Bytes of one picture."""
        return self.width * self.height * 3

    def __len__(self) -> int:
        return len(self.pixels) // self.size

    def picture(self, number: int) -> bytes:
        """One of them."""
        return self.pixels[number * self.size : (number + 1) * self.size]


@dataclass
class Cost:
    """What was spent so far, over several FFmpegs."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_memory_bytes: int = 0
    errors: int = 0
    """What did not decode, run-ins aside."""
    missing: int = 0
    """Frames that could not be decoded; a neighbour stands for them."""

    def add(self, finished: Finished) -> None:
        """Count one more."""
        self.cpu_s += finished.cpu_s
        self.wall_s += finished.wall_s
        self.peak_memory_bytes = max(self.peak_memory_bytes, finished.peak_memory_bytes)

    def finished(self) -> Finished:
        """The sum."""
        errors = self.errors + self.missing
        return Finished(self.cpu_s, self.wall_s, self.peak_memory_bytes, "", errors)


async def make_pictures(
    source: Path,
    plan: PreviewPlan,
    index: Index,
    part: Pictures,
    target: Path,
    on_fraction: OnFraction,
) -> Finished:
    """Make a part of a preview in `target`. Raises InputCorrupt, and what `run_ffmpeg` raises."""
    with written(plan.files, target) as files:
        tone = tuple(step.format(**files) for step in plan.tone)
        ready = plan.model_copy(update={"tone": tone})
        return await _make(source, ready, index, part, target, on_fraction)


async def _make(
    source: Path,
    plan: PreviewPlan,
    index: Index,
    part: Pictures,
    target: Path,
    on_fraction: OnFraction,
) -> Finished:
    cost = Cost()
    raw = target.with_name(f"{target.name}.raw")
    try:
        pts, share = part.pts, 0.0
        if part.part == "poster" and len(pts) > 1:
            pts, share = (await _best(source, plan, index, part, raw, cost, on_fraction),), 0.8
        frames = await find(
            source,
            plan,
            index,
            pts,
            (part.width, part.height),
            raw,
            cost,
            lambda done: on_fraction(share + done * (0.95 - share)),
        )
        await asyncio.to_thread(raw.write_bytes, frames.pixels)
        cost.add(await run_ffmpeg(writing(part, len(frames), raw, target).arguments()))
    finally:
        raw.unlink(missing_ok=True)
    return cost.finished()


def writing(part: Pictures, count: int, raw: Path, target: Path) -> Ffmpeg:
    """The command that writes decoded pictures as what the part is."""
    command = Ffmpeg.quiet().read_raw(raw, part.width, part.height, part.fps)
    if part.part == "animation":
        return command.then(*webp.QUALITY).write(target, *webp.MUXER)
    tiles = (
        f"tile={part.columns}x{-(-count // part.columns)}" if part.part == "storyboard" else None
    )
    # JPEG (JFIF) is BT.601 in full range.
    jpeg = f"scale=out_color_matrix=bt601:out_range=full:flags={SCALER},format=yuvj420p"
    return command.then(
        "-vf", filters((tiles, jpeg)), "-c:v", "mjpeg", "-q:v", "3", "-fflags", "+bitexact"
    ).write(target, "mjpeg")


async def find(
    source: Path,
    plan: PreviewPlan,
    index: Index,
    pts: Sequence[int],
    size: tuple[int, int],
    raw: Path,
    cost: Cost,
    on_fraction: OnFraction,
) -> Frames:
    """The frames of these times, in this order, scaled to `size`.

    A frame that does not decode is replaced by the next one that does, and counted.
    Raises InputCorrupt if none does.
    """
    wanted = sorted(set(pts))
    found: dict[int, bytes] = {}
    for seek, run in runs(index, wanted):
        frames = await _decode(source, plan, index, seek, run, size, raw, cost)
        if frames.errors:
            before = await _of_the_run_in(source, plan, index, seek, run[0])
            cost.errors += max(0, frames.errors - before)
        if len(frames) == len(run):
            found |= {time: frames.picture(number) for number, time in enumerate(run)}
        else:
            found |= await _one_by_one(source, plan, index, seek, run, size, raw, cost)
        on_fraction(bisect_left(wanted, run[-1]) / len(wanted))
    if not found:
        raise InputCorrupt(f"no frame of {source.name} could be decoded")
    there = sorted(found)
    cost.missing += len(wanted) - len(there)
    nearest = [there[min(bisect_left(there, time), len(there) - 1)] for time in pts]
    return Frames(*size, b"".join(found[time] for time in nearest))


def runs(index: Index, wanted: Sequence[int]) -> list[tuple[int | None, list[int]]]:
    """Wanted frames in groups that are decoded in one go, each with where to begin."""
    groups: list[tuple[int | None, list[int]]] = []
    for time in wanted:
        seek = None if index.unreliable else seek_point(index, time)
        if groups and len(groups[-1][1]) < LONGEST_RUN:
            before = groups[-1][1][-1]
            if seek is None or len(index.slice(before, seek)) < WORTH_A_SEEK:
                groups[-1][1].append(time)
                continue
        groups.append((seek, [time]))
    return groups


async def _decode(
    source: Path,
    plan: PreviewPlan,
    index: Index,
    seek: int | None,
    run: Sequence[int],
    size: tuple[int, int],
    raw: Path,
    cost: Cost,
) -> Frames:
    exact = "+".join(rf"eq(pts\,{time})" for time in run)
    chosen = (f"trim=end_pts={run[-1] + 1}", f"select={exact}")
    return await _picked(source, plan, index, seek, chosen, size, raw, cost)


async def _of_the_run_in(
    source: Path, plan: PreviewPlan, index: Index, seek: int | None, first: int
) -> int:
    """How many decode errors say nothing of the frames."""
    if seek is None or plan.video is None or seek in index.closed:
        return 0
    return await errors_before(source, plan.demuxer, plan.video, index.time_base, seek, first)


async def _one_by_one(
    source: Path,
    plan: PreviewPlan,
    index: Index,
    seek: int | None,
    run: Sequence[int],
    size: tuple[int, int],
    raw: Path,
    cost: Cost,
) -> dict[int, bytes]:
    """For damaged places: the first frame from each time on, if there is one."""
    found = {}
    for time in run:
        chosen = (rf"select=gte(pts\,{time})*isnan(prev_selected_t)",)
        frames = await _picked(source, plan, index, seek, chosen, size, raw, cost)
        if len(frames):
            found[time] = frames.picture(0)
    return found


async def _picked(
    source: Path,
    plan: PreviewPlan,
    index: Index,
    seek: int | None,
    chosen: Sequence[str],
    size: tuple[int, int],
    raw: Path,
    cost: Cost,
) -> Frames:
    matrix = f":in_color_matrix={plan.color_matrix}" if plan.color_matrix else ""
    scale = f"scale={size[0]}:{size[1]}:flags={SCALER}{matrix}"
    begin = Ffmpeg.from_keyframe(seek, index.time_base)
    command = (
        Ffmpeg.quiet()
        .cpu_level(table_level() if plan.files.tone else None)
        .read(source, plan.demuxer, "-copyts", *begin)
        .then("-map", f"0:{plan.video}", "-an", "-sn", "-dn")
        .then("-vf", filters((*chosen, *plan.filters, scale, *plan.tone, "format=rgb24")))
        .then("-fps_mode", "passthrough", "-enc_time_base", "demux", "-c:v", "rawvideo")
        .write(raw, "rawvideo")
    )
    try:
        finished = await run_ffmpeg(command.arguments())
    except ProcessFailed:
        return Frames(*size, b"")  # nothing here decodes: a neighbour stands for it
    cost.add(finished)
    return Frames(*size, await asyncio.to_thread(raw.read_bytes), finished.errors)


async def _best(
    source: Path,
    plan: PreviewPlan,
    index: Index,
    part: Pictures,
    raw: Path,
    cost: Cost,
    on_fraction: OnFraction,
) -> int:
    width = max(16, CANDIDATE_HEIGHT * part.width // part.height)
    small = await find(
        source,
        plan,
        index,
        part.pts,
        (width, CANDIDATE_HEIGHT),
        raw,
        cost,
        lambda done: on_fraction(done * 0.8),
    )
    return part.pts[await asyncio.to_thread(_richest, small)]


def _richest(frames: Frames) -> int:
    scores = [richness(frames.picture(number)) for number in range(len(frames))]
    return scores.index(max(scores))


def richness(pixels: bytes) -> float:
    """How much there is to see in a small RGB picture: black, white, blurred and faded ones lose.

    The entropy of its luma in 64 steps (0 to 6 bits), plus the logarithm of its detail (the mean
    difference of neighbours), plus its colour (the mean of greatest less least of R, G, B, in 64).
    """
    red, green, blue = pixels[0::3], pixels[1::3], pixels[2::3]
    luma = [(77 * r + 150 * g + 29 * b) >> 8 for r, g, b in zip(red, green, blue, strict=True)]
    shares = [count / len(luma) for count in Counter(value >> 2 for value in luma).values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    steps = sum(abs(a - b) for a, b in pairwise(luma)) / len(luma)
    colour = sum(max(rgb) - min(rgb) for rgb in zip(red, green, blue, strict=True)) / len(luma)
    return entropy + math.log2(1 + steps) + colour / 64
