"""Join finished parts into the output: a copy, never an encode; then prove what came out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from fractions import Fraction
from pathlib import Path

from longtake.contracts.media import MediaFacts
from longtake.errors import InputCorrupt, ProcessKilled
from media.command import Ffmpeg
from media.fragments import split_init
from media.index import Index
from media.isolate import inspect_in_child
from media.plan import Plan, VideoPlan
from media.process import Finished, OnTick, ProcessFailed, run_ffmpeg

PIECE = 1 << 20
_MUXERS = {"mp4": "mp4", "mkv": "matroska"}


def mux_command(
    source: Path, plan: Plan, audio: Path | None, target: Path, *, encoded: bool
) -> Ffmpeg:
    """The command that muxes the picture (fragments on stdin, or the source's) and the sound."""
    command = Ffmpeg.quiet()
    maps: list[str] = []
    if plan.video is not None and encoded:
        command = command.read("pipe:0", "mov", "-itsoffset", _seconds(plan.video.start_s))
        maps += ["-map", "0:v:0"]
    takes_source = _copies_from_source(plan)
    if takes_source:
        command = command.read(source, plan.demuxer)
        number = 1 if encoded else 0
        maps += [f for stream in takes_source for f in ("-map", f"{number}:{stream}")]
    if audio is not None:
        command = command.read(audio, "mov")
        maps += ["-map", f"{len([i for i in command.inputs if i == '-i']) - 1}:a:0"]
    return (
        command.then(*maps, "-c", "copy", "-sn", "-dn")
        .then(*(("-map_metadata", "-1") if encoded else ()))
        .then("-fflags", "+bitexact", "-max_interleave_delta", "0")
        .write(target, _MUXERS[plan.container], *_muxer_options(plan))
    )


def _muxer_options(plan: Plan) -> tuple[str, ...]:
    return ("-movflags", "+faststart", "-write_tmcd", "0") if plan.container == "mp4" else ()


def _copies_from_source(plan: Plan) -> list[int]:
    streams = [plan.video.stream] if plan.video is not None and plan.video.copied else []
    if plan.audio is not None and plan.audio.copied:
        streams += plan.audio.streams
    return streams


def _seconds(value: Fraction) -> str:
    return f"{value.numerator * 1_000_000 // value.denominator}us"


async def assemble(
    source: Path,
    plan: Plan,
    chunks: Sequence[Path],
    audio: Path | None,
    target: Path,
    on_tick: OnTick,
) -> Finished:
    """Write the output to `target`. Raises InputCorrupt, and what `run_ffmpeg` raises."""
    command = mux_command(source, plan, audio, target, encoded=bool(chunks))
    try:
        return await run_ffmpeg(
            command.arguments(), on_tick=on_tick, stdin=_rendition(chunks) if chunks else None
        )
    except ProcessFailed as error:
        raise InputCorrupt(
            f"the parts could not be joined (exit code {error.code}): {error.stderr}"
        ) from error


async def _rendition(chunks: Sequence[Path]) -> AsyncIterator[bytes]:
    """The init segment once, then every chunk's fragments: one CMAF track."""
    for number, chunk in enumerate(chunks):
        with chunk.open("rb") as file:
            file.seek(0 if number == 0 else split_init(chunk))
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece


async def verify(target: Path, plan: Plan, index: Index | None) -> MediaFacts:
    """Look at the finished file as a stranger would, and compare it with the plan.

    Returns its facts. Raises InputCorrupt where the source is to blame, ProcessKilled (tried
    again) where the file is not what was written.
    """
    facts, found = await inspect_in_child(target)
    if plan.video is not None and index is not None:
        if found is None:
            raise ProcessKilled(f"{target.name} holds no picture, though one was written")
        if not plan.video.copied:
            _compare(plan, plan.video, index, found)
    if plan.audio is not None and len(facts.audio) != len(plan.audio.streams):
        raise InputCorrupt(f"{len(facts.audio)} of {len(plan.audio.streams)} sound tracks came out")
    return facts


def _compare(plan: Plan, video: VideoPlan, index: Index, found: Index) -> None:
    """Frame by frame: shown at its time, to the tick in MP4 and the millisecond in Matroska."""
    first, last = video.chunks[0].start_pts, video.chunks[-1].end_pts
    wanted = [pts * index.time_base - plan.origin_s for pts in index.slice(first, last)]
    shown = [pts * found.time_base for pts in found.pts]
    if not video.exact:
        return
    slack = Fraction(1, 1000) if plan.container == "mkv" else Fraction(1, 1_000_000)
    if len(shown) != len(wanted) or any(
        abs(a - b) > slack for a, b in zip(shown, wanted, strict=True)
    ):
        worst = max((abs(a - b) for a, b in zip(shown, wanted, strict=False)), default=Fraction())
        raise ProcessKilled(
            f"the joined file shows {len(shown)} of {len(wanted)} frames, "
            f"up to {float(worst):.6f} s off"
        )
