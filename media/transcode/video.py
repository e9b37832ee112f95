"""Encode one chunk of the picture to CMAF fragments, and prove that it is the planned frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from longtake.errors import CapabilityMissing, InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.encoders import ENCODERS, av1_alpha, gif, webp
from media.encoders.base import Arguments, Pass
from media.encoders.nvenc import lacks_device
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import written
from media.ffmpeg.tools import table_level
from media.picture.pixels import SCALER
from media.picture.watermark import overlay
from media.probing.index import Index
from media.transcode.animations import check_animation
from media.transcode.chunks import Chunk
from media.transcode.fragments import has_frames, presentation_times, time_scale
from media.transcode.plan import Plan, VideoPlan
from media.transcode.timing import clock, planned_times, span
from media.transcode.vmaf import KEPT, Measure, chosen, measure_of, scoring

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
    # Chapters would become a track of text, on whose milliseconds the whole would begin.
    "-map_chapters", "-1",
)  # fmt: skip
CARRIERS = {
    "cmaf": ("mp4", *CMAF),
    # The same fragments under MOV's names of codecs (measured: every pixel format of FFV1).
    "mov": ("mov", *(word.replace("+cmaf", "+empty_moov") for word in CMAF)),
    "gif": gif.MUXER,
    "webp": webp.MUXER,
    "avif": av1_alpha.MUXER,
}
"""Muxer and its options, by what carries a chunk."""


class ChunkMismatch(Exception):
    """A chunk does not hold the planned frames: this source cannot be cut."""


def chunk_command(
    source: Path,
    plan: Plan,
    chunk: Chunk,
    target: Path,
    *,
    which: Pass | None = None,
    mark: Path | None = None,
    files: Mapping[str, str] = {},
    measure: Measure | None = None,
) -> Ffmpeg:
    """The command that encodes `chunk` of `source` to CMAF fragments in `target`.

    `mark` is the watermark's image; `files` are the names of what filters read, escaped. With
    `measure` the chunk is scored, too.
    """
    video = plan.picture
    begin = Ffmpeg.from_keyframe(chunk.seek_pts, video.time_base)
    as_stored = ("-display_rotation", "0") if video.turned_late else ()
    command = (
        Ffmpeg.quiet()
        .cpu_level(table_level() if video.files.tone else None)
        .read(source, plan.demuxer, "-copyts", *begin, *as_stored)
    )
    if mark is not None:
        command = command.read_image(mark)
    # Every frame at its own time: in the source's own clock, or on the grid.
    base = f"{video.grid.rate.denominator}:{video.grid.rate.numerator}" if video.grid else "demux"
    made = (
        command.then(*_filters(video, chunk, files, measure))
        .then("-an", "-sn", "-dn", "-fps_mode", "passthrough", "-enc_time_base", base)
        .then(*encoder(video, which))
        .write(*_output(video, target, which))
    )
    return made if measure is None else made.also(*scoring(video.pixel_format, measure))


def _output(video: VideoPlan, target: Path, which: Pass | None) -> tuple[Path | str, *Arguments]:
    if which is not None and which.statistics_only:
        return ("-", "null")
    return (target, *CARRIERS[ENCODERS[video.encoder].carrier])


def _filters(
    video: VideoPlan, chunk: Chunk, files: Mapping[str, str], measure: Measure | None
) -> tuple[str, ...]:
    """With `measure` some frames come a second time, to be compared with."""
    steps, finish = chain(video, chunk, files), _finish(video)
    if video.mark is None and measure is None and not ENCODERS[video.encoder].parts:
        steps = filters((steps, finish))
        return ("-map", f"0:{video.stream}", *(("-vf", steps) if steps else ()))
    graph = filters((_graph(video, steps), finish))
    if measure is not None:
        graph += f",format={video.pixel_format},split[out][all];[all]{chosen(measure)}[{KEPT}]"
        return ("-filter_complex", graph, "-map", "[out]")
    return ("-filter_complex", f"{graph}[out]", "-map", "[out]")


def chain(video: VideoPlan, chunk: Chunk, files: Mapping[str, str]) -> str:
    """The filters from the decoded source to the chunk's frames, on the rendition's clock."""
    return with_files(filters((*head(video, chunk), *video.filters)), files)


def head(video: VideoPlan, chunk: Chunk) -> tuple[str | None, ...]:
    """The filters that choose a chunk's frames; those that shape their pixels come behind."""
    return (
        trim(chunk.lead_pts, chunk.tail_pts),
        shift(video.first_pts),
        *video.temporal,
        *_kept(video, chunk),
    )


def with_files(steps: str, files: Mapping[str, str]) -> str:
    """Filters with the names of the files that they read."""
    for name, path in files.items():
        steps = steps.replace(f"{{{name}}}", path)
    return steps


def _graph(video: VideoPlan, steps: str) -> str:
    """The source is input 0 and the watermark's image, where there is one, input 1."""
    film = f"[0:{video.stream}]{steps or 'null'}"
    if video.mark is None:
        return film
    image, laid = overlay(video.mark, video.pixel_format, SCALER)
    return f"{film}[film];[1:0]{image}[mark];[film][mark]{laid}"


def _finish(video: VideoPlan) -> str | None:
    make = ENCODERS[video.encoder].finish
    return make(video) if make else None


def _kept(video: VideoPlan, chunk: Chunk) -> tuple[str | None, ...]:
    """The chunk's own frames, without the run-in that filters needed; on the grid if there is
    one. Times are the rendition's here."""
    if video.grid:
        first, last = span(video.grid, video.chunks, chunk)
        # The film's last frame stays until its end, however the source ends.
        held = "tpad=stop=-1:stop_mode=clone" if chunk == video.chunks[-1] else None
        return (f"fps=fps={video.grid.rate}:round=near:eof_action=pass", held, trim(first, last))
    if not video.reach:
        return ()
    edges = (chunk.start_pts, chunk.end_pts)
    return (trim(*(None if pts is None else pts - video.first_pts for pts in edges)),)


def trim(start: int | None, end: int | None) -> str | None:
    """Keep the frames from `start` (included) to `end`. Not `-t`/`-to`: they lose leading
    pictures."""
    edges = {"start_pts": start, "end_pts": end}
    given = [f"{name}={pts}" for name, pts in edges.items() if pts is not None]
    return f"trim={':'.join(given)}" if given else None


def recipe(video: VideoPlan, which: Pass | None = None) -> list[object]:
    """Everything of the plan, but the chunk's edges, that shapes a chunk's bytes."""
    return [
        *(video.stream, video.first_pts, *video.temporal, *video.filters),
        *ENCODERS[video.encoder].arguments(video, which),
        *CARRIERS[ENCODERS[video.encoder].carrier],
        *([finish] if (finish := _finish(video)) else ()),
        video.grid.model_dump(mode="json") if video.grid else None,
        video.files.model_dump(mode="json"),
        video.mark.content() if video.mark else None,
    ]


def shift(first_pts: int) -> str | None:
    """The rendition's clock starts at its first frame; the mux puts it where it belongs."""
    return f"setpts=PTS-({first_pts})" if first_pts else None


def encoder(video: VideoPlan, which: Pass | None = None) -> tuple[str, ...]:
    """The encoder and its settings, as this host runs it, in one of two passes where a bit rate is
    aimed at."""
    own = ENCODERS[video.encoder]
    return own.on_host(own.arguments(video, which))


async def encode_chunk(
    source: Path,
    plan: Plan,
    index: Index,
    chunk: Chunk,
    target: Path,
    on_tick: OnTick,
    *,
    which: Pass | None = None,
    mark: Path | None = None,
    report: Path | None = None,
) -> Finished:
    """Encode a chunk to `target` and verify it; `errors` counts what did not decode in it. With
    `report` it is scored, too (`media.transcode.vmaf`).

    Raises ChunkMismatch if the frames are not the planned ones, InputCorrupt if the source
    does not decode, and what `run_ffmpeg` raises.
    """
    measure = measure_of(plan.picture, index, chunk, report) if report else None
    try:
        with written(plan.picture.files, target) as files:
            command = chunk_command(
                source, plan, chunk, target, which=which, mark=mark, files=files, measure=measure
            )
            finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
    except ProcessFailed as error:
        if lacks_device(error.stderr):
            raise CapabilityMissing(
                f"no GPU encoded here ({plan.picture.encoder}), and the step waits for one. Check "
                f"`nvidia-smi`, and that no other program holds its sessions: {error.stderr}"
            ) from error
        raise InputCorrupt(
            f"{source.name} could not be encoded (exit code {error.code}): {error.stderr}"
        ) from error
    missing = verify_chunk(plan.picture, index, chunk, target, finished.stderr)
    before = 0
    if finished.errors and chunk.seek_pts is not None:
        before = await errors_before(
            *(source, plan.demuxer, plan.picture.stream, plan.picture.time_base),
            *(chunk.seek_pts, chunk.lead_pts),
        )
    return replace(finished, errors=max(0, finished.errors - before) + missing)


async def errors_before(
    source: Path,
    demuxer: str,
    stream: int,
    time_base: Fraction,
    seek_pts: int | None,
    first_pts: int | None,
) -> int:
    """Decode errors of the run-in alone: an open GOP's leading pictures lack references there,
    which says nothing of the frames from `first_pts` on."""
    begin = Ffmpeg.from_keyframe(seek_pts, time_base)
    command = (
        Ffmpeg.quiet()
        .read(source, demuxer, "-copyts", *begin)
        .then("-map", f"0:{stream}", "-vf", f"trim=end_pts={first_pts}")
        .write("-", "null")
    )
    try:
        return (await run_ffmpeg(command.arguments())).errors
    except ProcessFailed:
        return 0  # FFmpeg gives up where next to nothing decodes: that is damage


def verify_chunk(
    video: VideoPlan, index: Index, chunk: Chunk, target: Path, stderr: str = ""
) -> int:
    """Compare every frame's time with the index; returns how many frames are missing.

    None may be missing where the index is exact. Raises ChunkMismatch or InputCorrupt.
    """
    wanted = planned_times(video, index, chunk)
    is_whole = ENCODERS[video.encoder].whole
    if target.stat().st_size == 0 or not (is_whole or has_frames(target)):
        none = f"no frame of the source could be decoded. {stderr}".strip()
        # In the middle of a film it may be the keyframe that is none.
        raise InputCorrupt(none) if chunk.start_pts is None else ChunkMismatch(none)
    if is_whole:
        wrong = check_animation(video, wanted, target)
        if wrong:
            raise ChunkMismatch(f"{wrong}. {stderr}".strip())
        return 0
    found = in_ticks(target, clock(video))
    if video.exact and found != wanted:
        raise ChunkMismatch(
            f"{len(found)} of {len(wanted)} frames, or not at their times. {stderr}".strip()
        )
    if not video.exact and len(found) < 0.98 * len(wanted):
        raise InputCorrupt(
            f"only {len(found)} of {len(wanted)} frames could be decoded. {stderr}".strip()
        )
    return max(0, len(wanted) - len(found))


def in_ticks(target: Path, time_base: Fraction) -> Sequence[Fraction | int]:
    """When the frames of CMAF fragments are shown, in ticks of `time_base` seconds."""
    scale = Fraction(1, time_scale(target)) / time_base
    return [_whole(ticks * scale) for ticks in presentation_times(target)]


def _whole(value: Fraction) -> Fraction | int:
    return int(value) if value.denominator == 1 else value
