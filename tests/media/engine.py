"""Run the engine from end to end without Temporal, and look at what comes out."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from longtake.contracts import MediaFacts, Transcode
from longtake.contracts.encode import VideoSettings
from longtake.contracts.steps.common import Source
from longtake.contracts.steps.transcode import Image
from longtake.presets import resolve
from longtake.rates import share
from media.captions.sources import read_captions
from media.children.process import Tick
from media.ffmpeg.tools import ffmpeg
from media.picture.borders import find_borders
from media.picture.overlays import Beside
from media.picture.watermark import png_size
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.sound.audio import encode_audio
from media.transcode.analysis import (
    analyse_chunk,
    analysed_bytes,
    encode_at_quality,
    encode_second_pass,
    target_bytes,
)
from media.transcode.assemble import assemble, verify
from media.transcode.breaks import find_chapters
from media.transcode.fragments import Joining
from media.transcode.plan import Clip, Plan
from media.transcode.planning import make_plan
from media.transcode.tracks import choose_tracks
from media.transcode.video import ChunkMismatch
from tests.patience import WAIT_S


@dataclass(frozen=True)
class Made:
    """A transcode that the engine made."""

    path: Path
    plan: Plan
    index: Index | None
    source: MediaFacts
    facts: MediaFacts
    chunks: list[Path]
    errors: int = 0
    warnings: tuple[str, ...] = ()
    fell_back: bool = False


def no_tick(tick: Tick) -> None:
    pass


async def transcode(source: Path, target: Path, **job: Any) -> Made:
    """What the workflow does, step by step, in this process."""
    facts, index = await inspect_in_child(source, salvage=job.get("salvage", False))
    try:
        return await _make(source, target, facts, index, one_chunk=False, **job)
    except ChunkMismatch:
        return await _make(source, target, facts, index, one_chunk=True, **job)


async def _make(
    source: Path,
    target: Path,
    facts: MediaFacts,
    index: Index | None,
    *,
    one_chunk: bool,
    chunk_s: Fraction | int | None = None,
    **options: Any,
) -> Made:
    job = Transcode(input=str(source), output=str(target), **options)
    settings = resolve(job)
    beside, image = await _beside(source, index, settings.video)
    chapters = None
    if job.breaks is not None:
        clip = Clip(start=job.start, end=job.end)
        sound = choose_tracks(facts.audio, settings.audio)[0] if facts.audio else None
        chapters, _ = await find_chapters(
            *(source, facts, index, sound, job.breaks, clip, target.with_suffix(".breaks"), no_tick)
        )
        chapters = chapters if len(chapters.starts_s) > 1 else None
    crop = None
    if settings.video.crop == "auto" and index is not None:
        crop = await find_borders(
            *(source, facts.container, facts.video[0], index, None, None),
            target.with_suffix(".borders"),
        )
    plan = make_plan(
        facts,
        index,
        settings,
        beside=beside,
        crop=crop,
        clip=Clip(start=job.start, end=job.end),
        chunk_s=None if chunk_s is None else Fraction(chunk_s),
        one_chunk=one_chunk,
    )
    chunks: list[Path] = []
    errors = 0
    if plan.video is not None and index is not None:
        total = target_bytes(plan, index)
        if total is not None:
            chunks = await _two_passes(source, target, plan, index, total)
        for number, chunk in enumerate(plan.video.chunks if total is None else ()):
            path = target.with_name(f"{target.stem}.{number}.chunk")
            own = plan.of_chunk(number)
            done = await encode_at_quality(source, own, index, chunk, path, no_tick, mark=image)
            errors += done.errors
            chunks.append(path)
    sounds = []
    for number, audio in enumerate(plan.audio):
        if not audio.copied:
            path = target.with_name(f"{target.stem}.{number}.sound")
            await encode_audio(source, plan, number, path, no_tick)
            sounds.append(path)
    rendition = target.with_name(f"{target.stem}.rendition") if chunks else None
    if rendition is not None:
        with Joining(rendition, len(chunks)) as track:
            for made in chunks:
                track.add(made)
    await assemble(source, plan, rendition, sounds, target, no_tick, chapters)
    found, warnings = await verify(target, plan, index, chapters)
    return Made(
        target, plan, index, facts, found, chunks, errors, (*plan.warnings, *warnings), one_chunk
    )


async def _two_passes(
    source: Path, target: Path, plan: Plan, index: Index, total: int
) -> list[Path]:
    assert plan.video is not None
    analyses, chunks = [], []
    for number, chunk in enumerate(plan.video.chunks):
        path = target.with_name(f"{target.stem}.{number}.analysis")
        await analyse_chunk(source, plan, index, chunk, path, no_tick)
        analyses.append(path)
    shares = share(total, [analysed_bytes(path) for path in analyses])
    for number, chunk in enumerate(plan.video.chunks):
        path = target.with_name(f"{target.stem}.{number}.chunk")
        await encode_second_pass(
            source, plan, index, chunk, analyses[number], shares[number], path, no_tick
        )
        chunks.append(path)
    return chunks


async def _beside(
    source: Path, index: Index | None, asked: VideoSettings
) -> tuple[Beside, Path | None]:
    """What the job brings beside its source, as `admit` finds it."""
    cues, image, path = None, None, None
    if asked.captions:
        origin = index.origin_s if index else Fraction()
        file = Path(asked.captions.file) if asked.captions.file else source
        cues = await read_captions(file, asked.captions.stream, origin)
    if asked.watermark:
        path = Path(asked.watermark.image)
        pinned = Source(uri=str(path), bytes=1, sha256="0" * 64, version="1")
        width, height = png_size(path)
        image = Image(source=pinned, width=width, height=height)
    return Beside(watermark=image, cues=cues), path


def run(*arguments: Any) -> str:
    """Run the static FFmpeg; its stdout."""
    command = [ffmpeg(), "-hide_banner", "-nostdin", "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=WAIT_S)
    return done.stdout


def frames(
    path: Path, pixel_format: str, *filters: str, from_s: float | None = None
) -> list[tuple[Fraction, str]]:
    """Time in seconds (from the first frame) and MD5 of every decoded frame; `from_s`: from the
    keyframe at or before it on."""
    begin = () if from_s is None else ("-ss", from_s, "-noaccurate_seek")
    listed = run(
        *("-copyts", *begin, "-i", path, "-map", "0:v:0"),
        *(("-vf", ",".join(filters)) if filters else ()),
        *("-pix_fmt", pixel_format, "-fps_mode", "passthrough", "-enc_time_base", "demux"),
        *("-f", "framemd5", "-"),
    )
    base = Fraction(1)
    found: list[tuple[int, str]] = []
    for line in listed.splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif not line.startswith("#"):
            fields = [field.strip() for field in line.split(",")]
            found.append((int(fields[2]), fields[5]))
    first = found[0][0] if found else 0
    return [((pts - first) * base, md5) for pts, md5 in found]
