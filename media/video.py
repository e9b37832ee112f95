"""Encode one chunk of the picture to CMAF fragments, and prove that it is the planned frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from longtake.errors import InputCorrupt
from media.chunks import Chunk
from media.command import Ffmpeg, filters
from media.encoders import ENCODERS
from media.encoders.base import Arguments, Pass
from media.fragments import presentation_times, time_scale
from media.index import Index
from media.plan import Plan, VideoPlan
from media.process import Finished, OnTick, ProcessFailed, run_ffmpeg

CMAF = (
    "-use_editlist", "0",  # else every chunk with B-frames is late by its own reorder delay
    "-movflags",
    "+cmaf+frag_discont+frag_keyframe+negative_cts_offsets+default_base_moof"
    "+skip_sidx+skip_trailer",
    "-avoid_negative_ts", "disabled",  # times are the plan's, not the muxer's
    "-write_tmcd", "0",
    "-write_btrt", "0",  # a bit rate in the init segment would differ from chunk to chunk
    "-fflags", "+bitexact", "-flags:v", "+bitexact",  # no version strings, no dates
    "-map_metadata", "-1",
)  # fmt: skip
CARRIERS = {
    "cmaf": ("mp4", *CMAF),
    # The same fragments under MOV's names of codecs (measured: every pixel format of FFV1).
    "mov": ("mov", *(word.replace("+cmaf", "+empty_moov") for word in CMAF)),
}
"""Muxer and its options, by what carries a chunk."""


class ChunkMismatch(Exception):
    """A chunk does not hold the planned frames: this source cannot be cut."""


def chunk_command(
    source: Path, plan: Plan, chunk: Chunk, target: Path, which: Pass | None = None
) -> Ffmpeg:
    """The command that encodes `chunk` of `source` to CMAF fragments in `target`."""
    video = _video_of(plan)
    return (
        Ffmpeg.quiet()
        .read(source, plan.demuxer, "-copyts", *_seek(video, chunk))
        .then("-map", f"0:{video.stream}", "-an", "-sn", "-dn")
        .then(*_filters(video, chunk))
        # Every frame at its own time, in the source's own clock.
        .then("-fps_mode", "passthrough", "-enc_time_base", "demux")
        .then(*encoder(video, which))
        .write(*_output(video, target, which))
    )


def _output(video: VideoPlan, target: Path, which: Pass | None) -> tuple[Path | str, *Arguments]:
    if which is not None and which.statistics_only:
        return ("-", "null")
    return (target, *CARRIERS[ENCODERS[video.encoder].carrier])


def _filters(video: VideoPlan, chunk: Chunk) -> tuple[str, ...]:
    chain = filters((trim(chunk), shift(video.first_pts), *video.filters))
    return ("-vf", chain) if chain else ()


def trim(chunk: Chunk) -> str | None:
    """Keep the frames of the chunk. Not `-t`/`-to`: they lose leading pictures."""
    edges = {"start_pts": chunk.start_pts, "end_pts": chunk.end_pts}
    given = [f"{name}={pts}" for name, pts in edges.items() if pts is not None]
    return f"trim={':'.join(given)}" if given else None


def shift(first_pts: int) -> str | None:
    """The rendition's clock starts at its first frame; the mux puts it where it belongs."""
    return f"setpts=PTS-({first_pts})" if first_pts else None


def _seek(video: VideoPlan, chunk: Chunk) -> tuple[str, ...]:
    """Begin at a keyframe before the boundary; `trim` drops what comes too early."""
    if chunk.seek_pts is None:
        return ()
    microseconds = chunk.seek_pts * video.time_base * 1_000_000 // 1
    return ("-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{microseconds}us")


def encoder(video: VideoPlan, which: Pass | None = None) -> tuple[str, ...]:
    """The encoder and its settings, in one of two passes where a bit rate is aimed at."""
    return ENCODERS[video.encoder].arguments(video, which)


async def encode_chunk(
    source: Path,
    plan: Plan,
    index: Index,
    chunk: Chunk,
    target: Path,
    on_tick: OnTick,
    *,
    which: Pass | None = None,
) -> Finished:
    """Encode a chunk to `target` and verify it; `errors` counts what did not decode in it.

    Raises ChunkMismatch if the frames are not the planned ones, InputCorrupt if the source
    does not decode, and what `run_ffmpeg` raises.
    """
    command = chunk_command(source, plan, chunk, target, which)
    try:
        finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        raise InputCorrupt(
            f"{source.name} could not be encoded (exit code {error.code}): {error.stderr}"
        ) from error
    missing = verify_chunk(_video_of(plan), index, chunk, target, finished.stderr)
    before = 0
    if finished.errors and chunk.seek_pts is not None:
        before = await _errors_before(source, plan, chunk)
    return replace(finished, errors=max(0, finished.errors - before) + missing)


async def _errors_before(source: Path, plan: Plan, chunk: Chunk) -> int:
    """Decode errors of the run-in alone: an open GOP's leading pictures lack references there,
    which says nothing of the chunk."""
    video = _video_of(plan)
    command = (
        Ffmpeg.quiet()
        .read(source, plan.demuxer, "-copyts", *_seek(video, chunk))
        .then("-map", f"0:{video.stream}", "-vf", f"trim=end_pts={chunk.start_pts}")
        .write("-", "null")
    )
    return (await run_ffmpeg(command.arguments())).errors


def verify_chunk(
    video: VideoPlan, index: Index, chunk: Chunk, target: Path, stderr: str = ""
) -> int:
    """Compare every frame's time with the index; returns how many frames are missing.

    None may be missing where the index is exact. Raises ChunkMismatch or InputCorrupt.
    """
    wanted = index.slice(chunk.start_pts, chunk.end_pts)
    if target.stat().st_size == 0:
        raise InputCorrupt(f"no frame of the source could be decoded. {stderr}".strip())
    found = _in_time_base(target, video.time_base)
    if video.exact and found != [pts - video.first_pts for pts in wanted]:
        raise ChunkMismatch(
            f"{len(found)} of {len(wanted)} frames, or not at their times. {stderr}".strip()
        )
    if not video.exact and len(found) < 0.98 * len(wanted):
        raise InputCorrupt(
            f"only {len(found)} of {len(wanted)} frames could be decoded. {stderr}".strip()
        )
    return max(0, len(wanted) - len(found))


def _in_time_base(target: Path, time_base: Fraction) -> Sequence[Fraction | int]:
    scale = Fraction(1, time_scale(target)) / time_base
    return [_whole(ticks * scale) for ticks in presentation_times(target)]


def _whole(value: Fraction) -> Fraction | int:
    return int(value) if value.denominator == 1 else value


def _video_of(plan: Plan) -> VideoPlan:
    if plan.video is None:
        raise ValueError("the plan has no picture")
    return plan.video
