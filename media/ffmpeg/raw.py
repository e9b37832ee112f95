"""Run FFmpeg with a user's own arguments, which were checked by `longtake.arguments`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from longtake.errors import InvalidJob
from media.children.process import Finished, Limits, OnTick, ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg

THREADS = 4
"""Of each encoder, unless the arguments say otherwise: as for a picture of one chunk."""
FILE_LIMIT = 256 << 30
"""Bytes of the output at most: a filter that never ends must not fill a disk."""


def raw_command(
    source: Path,
    demuxer: str,
    reading: Sequence[str],
    writing: Sequence[str],
    target: Path,
    muxer: str,
) -> Ffmpeg:
    """The command, with the same guards around the input as every other."""
    threads = () if "-threads" in writing else ("-threads", str(THREADS))
    return (
        Ffmpeg.quiet().read(source, demuxer, *reading).then(*threads, *writing).write(target, muxer)
    )


async def run_raw(command: Ffmpeg, on_tick: OnTick) -> Finished:
    """Run it. Raises InvalidJob with FFmpeg's last words, and what `run_ffmpeg` raises."""
    limits = Limits(file_bytes=FILE_LIMIT)
    try:
        return await run_ffmpeg(command.arguments(), on_tick=on_tick, limits=limits)
    except ProcessFailed as error:
        raise InvalidJob(
            f"FFmpeg could not do it (exit code {error.code}): {error.stderr or 'it says nothing'}"
        ) from error
