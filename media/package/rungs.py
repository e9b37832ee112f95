"""Encode one chunk of every rendition of a package, all from one decode.

Each rendition is scaled from the next larger one (measured: 0.88 of the CPU of four commands).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from longtake.errors import InputCorrupt
from media.children.process import Finished, OnTick, ProcessFailed, in_turn, run_ffmpeg
from media.encoders import ENCODERS
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import written
from media.package.held import decoded, lead_in_filters, lead_out_filters
from media.package.plan import PackagePlan, Rendition, keyframe_times
from media.picture.pixels import SCALER
from media.probing.index import Index
from media.transcode.analysis import chunk_seconds
from media.transcode.chunks import Chunk
from media.transcode.fragments import fragment_times
from media.transcode.rate_search import encode_within_cap
from media.transcode.video import CARRIERS, ChunkMismatch, encoder, head, verify_chunk, with_files


def rungs_command(
    source: Path,
    plan: PackagePlan,
    index: Index,
    chunk: Chunk,
    targets: Mapping[int, Path],
    files: Mapping[int, Mapping[str, str]],
) -> Ffmpeg:
    """The command that encodes a chunk of the renditions in `targets`, each to a file of its own.

    `index`: the plan's `frames`; `files`: what the filters of a rendition read.
    """
    video = plan.picture
    begin = Ffmpeg.from_keyframe(chunk.seek_pts, video.time_base)
    as_stored = ("-display_rotation", "0") if video.turned_late else ()
    graph = ";".join(_graph(plan, index, chunk, sorted(targets), files))
    times = [f"{float(time):.6f}" for _, time in keyframe_times(video, index, plan.gop_s, chunk)]
    forced = ("-force_key_frames", ",".join(times)) if times else ()
    command = (
        Ffmpeg.quiet()
        .read(source, plan.demuxer, "-copyts", *begin, *as_stored)
        .then("-filter_complex", graph)
    )
    for number, target in sorted(targets.items()):
        own = plan.renditions[number].video
        command = command.also(
            *("-map", f"[out{number}]", "-an", "-sn", "-dn"),
            *("-fps_mode", "passthrough", "-enc_time_base", "demux"),
            *encoder(own),
            *forced,
            *CARRIERS[ENCODERS[own.encoder].carrier][1:],
            *("-f", "mp4", f"file:{target}"),
        )
    return command


def _graph(
    plan: PackagePlan,
    index: Index,
    chunk: Chunk,
    wanted: Sequence[int],
    files: Mapping[int, Mapping[str, str]],
) -> list[str]:
    """Chains from the decoded source to the renditions, the larger before the smaller."""
    needed = _needed(plan.renditions, wanted)
    below = {
        number: [other for other in needed if plan.renditions[other].above == number]
        for number in (None, *needed)
    }
    first = filters(_frames(plan, index, chunk)) or "null"
    chains = [f"[0:{plan.picture.stream}]{first}{_outlets(below[None])}"]
    for number in needed:
        own = plan.renditions[number]
        steps = _steps(plan.renditions, own, files.get(number, {}))
        ends = [f"[out{number}]"] if number in wanted else []
        chains.append(f"[in{number}]{steps}{_outlets(below[number], ends)}")
    return chains


def _frames(plan: PackagePlan, index: Index, chunk: Chunk) -> tuple[str | None, ...]:
    """The filters that choose a chunk's frames, and hold those that are held."""
    lead_in, lead_out, video = plan.lead_in, plan.lead_out, plan.picture
    before = lead_in_filters(lead_in) if lead_in and chunk.start_pts is None else None
    if lead_out is None:
        return (*head(video, chunk), before)
    own = decoded(chunk, index.pts[-1 - lead_out.frames])
    return (*head(video, own), before, lead_out_filters(lead_out, video, index, chunk))


def _needed(renditions: Sequence[Rendition], wanted: Sequence[int]) -> list[int]:
    """The wanted renditions, and those that they are scaled from."""
    found: set[int] = set()
    for each in wanted:
        number: int | None = each
        while number is not None and number not in found:
            found.add(number)
            number = renditions[number].above
    return sorted(found)


def _outlets(below: Sequence[int], ends: Sequence[str] = ()) -> str:
    names = [*ends, *(f"[in{number}]" for number in below)]
    split = f",split={len(names)}" if len(names) > 1 else ""
    return split + "".join(names)


def _steps(renditions: Sequence[Rendition], own: Rendition, files: Mapping[str, str]) -> str:
    if own.above is None:
        return with_files(filters(own.video.filters), files) or "null"
    above = renditions[own.above]
    if (above.width, above.height) == (own.width, own.height):
        return "null"
    return f"scale={own.width}:{own.height}:flags={SCALER},setsar=1"


def recipe(plan: PackagePlan, number: int) -> list[object]:
    """Everything of the plan, but the chunk's edges, that shapes a rendition's bytes."""
    video = plan.picture
    chain, at = [], number
    while True:
        own = plan.renditions[at]
        chain.append([own.width, own.height])
        if own.above is None:
            break
        at = own.above
    top, own_video = plan.renditions[at].video, plan.renditions[number].video
    own_encoder = ENCODERS[own_video.encoder]
    return [
        *(video.stream, video.first_pts, *video.temporal, *top.filters),
        *(top.files.model_dump(mode="json"), chain, *own_encoder.arguments(own_video, None)),
        *(str(plan.gop_s), str(video.start_s)),
        *CARRIERS[own_encoder.carrier],
        *([plan.lead_in.model_dump(mode="json")] if plan.lead_in else ()),
        *([{"lead-out": plan.lead_out.model_dump(mode="json")}] if plan.lead_out else ()),
    ]


async def encode_rungs(
    source: Path,
    plan: PackagePlan,
    index: Index,
    chunk: Chunk,
    targets: Mapping[int, Path],
    on_tick: OnTick,
) -> Finished:
    """Encode a chunk of the renditions in `targets` and verify each, frame by frame. `index`: the
    plan's `frames`.

    Raises ChunkMismatch if the frames are not the planned ones or a keyframe is not where a GOP
    begins, InputCorrupt if the source does not decode, and what `run_ffmpeg` raises.
    """
    finished = await _encode(source, plan, index, chunk, targets, on_tick)
    for number, target in targets.items():
        again = await _within_cap(source, plan, index, chunk, number, target, on_tick)
        finished = in_turn(finished, again) if again else finished
    return finished


async def _encode(
    source: Path,
    plan: PackagePlan,
    index: Index,
    chunk: Chunk,
    targets: Mapping[int, Path],
    on_tick: OnTick,
) -> Finished:
    first = targets[min(targets)]
    with ExitStack() as stack:
        files = {}
        for number in _needed(plan.renditions, sorted(targets)):
            beside = first.with_name(f"{first.name}.{number}")
            own = written(plan.renditions[number].video.files, beside)
            files[number] = stack.enter_context(own)
        command = rungs_command(source, plan, index, chunk, targets, files)
        try:
            finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
        except ProcessFailed as error:
            raise InputCorrupt(
                f"{source.name} could not be encoded (exit code {error.code}): {error.stderr}"
            ) from error
    missing = 0
    for number, target in targets.items():
        video = plan.renditions[number].video
        missing = max(missing, verify_chunk(video, index, chunk, target, finished.stderr))
        if video.exact:
            _check_keyframes(plan, index, chunk, number, target)
    return replace(finished, errors=finished.errors + missing)


def _check_keyframes(
    plan: PackagePlan, index: Index, chunk: Chunk, number: int, target: Path
) -> None:
    """Every fragment begins with a keyframe (`frag_keyframe`): they must be the grid's."""
    first = index.slice(chunk.start_pts, chunk.end_pts)[0]
    forced = [pts for pts, _ in keyframe_times(plan.picture, index, plan.gop_s, chunk)]
    wanted = [(pts - plan.picture.first_pts) * plan.picture.time_base for pts in (first, *forced)]
    found = fragment_times(target)
    if found != wanted:
        raise ChunkMismatch(
            f"{plan.renditions[number].name} has {len(found)} GOPs for {len(wanted)}, or they do "
            "not begin on the grid"
        )


async def _within_cap(
    source: Path,
    plan: PackagePlan,
    index: Index,
    chunk: Chunk,
    number: int,
    target: Path,
    on_tick: OnTick,
) -> Finished | None:
    """A chunk that passed its cap is encoded anew under a lower one, where its encoder may."""
    video = plan.renditions[number].video

    async def encode_under(cap_bps: int, draft: Path) -> Finished:
        lower = _capped(plan, number, cap_bps)
        return await _encode(source, lower, index, chunk, {number: draft}, on_tick)

    seconds = chunk_seconds(video, index, chunk)
    return await encode_within_cap(video, seconds, target, encode_under)


def _capped(plan: PackagePlan, number: int, cap_bps: int) -> PackagePlan:
    own = plan.renditions[number]
    asked = own.video.settings.model_copy(update={"max_bitrate_bps": cap_bps})
    lower = own.model_copy(update={"video": own.video.model_copy(update={"settings": asked})})
    rungs = (*plan.renditions[:number], lower, *plan.renditions[number + 1 :])
    return plan.model_copy(update={"renditions": rungs})
