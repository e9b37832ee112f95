"""The first of two passes: what a chunk needs at constant quality, and the encoder's statistics.

Both lie in one tar under a content key, so that a chunk is analysed once.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, in_turn, run_ffmpeg
from media.encoders import ENCODERS
from media.encoders.base import Pass, rate
from media.ffmpeg.filter_files import written
from media.probing.index import Index
from media.transcode.chunks import Chunk
from media.transcode.plan import Plan, VideoPlan
from media.transcode.rate_search import encode_to_rate, encode_to_size, encode_within_cap
from media.transcode.timing import planned_times
from media.transcode.video import chunk_command, encode_chunk
from media.transcode.video import recipe as picture_recipe

_SIZE = "bytes"
_LOG = "log"


def recipe(video: VideoPlan, number: Literal[1, 2] = 1) -> list[object]:
    """What shapes a pass's bytes, without the names of its files and what it aims at."""
    return picture_recipe(video, Pass(number, _LOG))


async def analyse_chunk(
    source: Path,
    plan: Plan,
    index: Index,
    chunk: Chunk,
    target: Path,
    on_tick: OnTick,
    mark: Path | None = None,
) -> Finished:
    """Encode a chunk at constant quality, and keep its size and the encoder's statistics.

    Raises what `encode_chunk` raises.
    """
    with _logs(target) as log:
        picture = target.with_name(f"{target.name}.pass-picture")
        finished = await encode_chunk(
            source, plan, index, chunk, picture, on_tick, which=Pass(1, str(log)), mark=mark
        )
        size = picture.stat().st_size
        picture.unlink()
        video = plan.picture
        if ENCODERS[video.encoder].silent:
            silent = Pass(1, str(log), statistics_only=True)
            with written(video.files, target) as files:
                command = chunk_command(
                    source, plan, chunk, target, which=silent, mark=mark, files=files
                )
                also = await run_ffmpeg(command.arguments(), on_tick=on_tick)
            finished = replace(
                finished, cpu_s=finished.cpu_s + also.cpu_s, wall_s=finished.wall_s + also.wall_s
            )
        _pack(target, size, log)
    return finished


async def encode_second_pass(
    source: Path,
    plan: Plan,
    index: Index,
    chunk: Chunk,
    analysis: Path,
    target_bytes: int,
    target: Path,
    on_tick: OnTick,
    mark: Path | None = None,
) -> Finished:
    """Encode a chunk to about `target_bytes`, by what its analysis found.

    Raises what `encode_chunk` raises.
    """
    if ENCODERS[plan.picture.encoder].analysis_crf is not None:
        at_analysis = analysed_bytes(analysis)

        async def encode(crf: int, draft: Path) -> Finished:
            which = Pass(2, _LOG, crf=crf)
            return await encode_chunk(
                source, plan, index, chunk, draft, on_tick, which=which, mark=mark
            )

        return await encode_to_size(plan.picture, at_analysis, target_bytes, target, encode)
    with _logs(target) as log:
        _unpack(analysis, log)
        aim = int(target_bytes * 8 / chunk_seconds(plan.picture, index, chunk))

        async def encode_at(rate_bps: int, draft: Path) -> Finished:
            which = Pass(2, str(log), bitrate_bps=rate_bps)
            return await encode_chunk(
                source, plan, index, chunk, draft, on_tick, which=which, mark=mark
            )

        return await encode_to_rate(max(1000, aim), target_bytes, target, encode_at)


async def encode_at_quality(
    source: Path,
    plan: Plan,
    index: Index,
    chunk: Chunk,
    target: Path,
    on_tick: OnTick,
    mark: Path | None = None,
    report: Path | None = None,
) -> Finished:
    """Encode a chunk at the constant quality that its plan says, and within the plan's cap. With
    `report` it is scored, too. Raises what `encode_chunk` raises.
    """
    finished = await encode_chunk(
        source, plan, index, chunk, target, on_tick, mark=mark, report=report
    )
    reports: dict[int, bytes] = {}

    async def encode_under(cap_bps: int, draft: Path) -> Finished:
        lower = _capped(plan, cap_bps)
        done = await encode_chunk(
            source, lower, index, chunk, draft, on_tick, mark=mark, report=report
        )
        if report is not None:
            reports.setdefault(_bytes(draft), await asyncio.to_thread(report.read_bytes))
        return done

    seconds = chunk_seconds(plan.picture, index, chunk)
    within = await encode_within_cap(plan.picture, seconds, target, encode_under)
    if within is None:
        return finished
    if report is not None:
        of_the_kept = reports[_bytes(target)]
        await asyncio.to_thread(report.write_bytes, of_the_kept)
    return in_turn(within, finished)


def _bytes(path: Path) -> int:
    return path.stat().st_size


def _capped(plan: Plan, cap_bps: int) -> Plan:
    """The same plan under another cap."""
    asked = plan.picture.settings.model_copy(update={"max_bitrate_bps": cap_bps})
    picture = plan.picture.model_copy(update={"settings": asked})
    return plan.model_copy(update={"video": picture})


def chunk_seconds(video: VideoPlan, index: Index, chunk: Chunk) -> Fraction:
    """How long a chunk is for its encoder: some count frames at a fixed rate."""
    if ENCODERS[video.encoder].counts_frames:
        return len(planned_times(video, index, chunk)) / rate(video)
    return picture_seconds(index, chunk.start_pts, chunk.end_pts)


def picture_seconds(index: Index, start: int | None, end: int | None) -> Fraction:
    """Seconds from the first frame shown to the end of the last."""
    frames = index.slice(start, end)
    if not frames:
        raise InputCorrupt("there is no frame to analyse")
    following = index.slice(frames[-1] + 1, None)
    stop = following[0] if following else index.end_pts
    return (stop - frames[0]) * index.time_base


def target_bytes(plan: Plan, index: Index) -> int | None:
    """What the whole picture may take, where a bit rate is aimed at."""
    video = plan.video
    if video is None or not video.chunks or video.settings.bitrate_bps is None:
        return None
    first, last = video.chunks[0].start_pts, video.chunks[-1].end_pts
    return int(video.settings.bitrate_bps * picture_seconds(index, first, last) / 8)


def analysed_bytes(analysis: Path) -> int:
    """How many bytes the chunk took at constant quality."""
    with tarfile.open(analysis) as archive:
        member = archive.extractfile(_SIZE)
        return int(member.read()) if member else 0


@contextlib.contextmanager
def _logs(target: Path) -> Iterator[Path]:
    """Where the statistics lie beside the draft; removed at the end. Files, not a folder: what
    a killed worker leaves is swept by name."""
    log = target.with_name(f"{target.name}.pass")
    try:
        yield log
    finally:
        for path in target.parent.glob(f"{log.name}-*"):
            path.unlink(missing_ok=True)


def _pack(target: Path, size: int, log: Path) -> None:
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, _SIZE, str(size).encode())
        for path in sorted(log.parent.glob(f"{log.name}-*")):
            _add(archive, path.name.removeprefix(log.name), path.read_bytes())


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _unpack(analysis: Path, log: Path) -> None:
    with tarfile.open(analysis) as archive:
        for entry in archive.getmembers():
            member = archive.extractfile(entry)
            if entry.name != _SIZE and member is not None:
                log.with_name(f"{log.name}{entry.name}").write_bytes(member.read())
