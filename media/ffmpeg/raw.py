"""Run FFmpeg with a user's own arguments, which were checked by `longtake.arguments`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from longtake.errors import InvalidJob
from media.children.process import Finished, Limits, OnTick, ProcessFailed, Tick, run_ffmpeg
from media.ffmpeg.command import Ffmpeg
from media.probing.formats import MAX_DURATION_S

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
    """Run it. Raises InvalidJob with FFmpeg's last words, or for an output that becomes longer than
    any that is read; and what `run_ffmpeg` raises."""
    limits, endless = Limits(file_bytes=FILE_LIMIT), False

    def look(tick: Tick) -> None:
        nonlocal endless
        on_tick(tick)
        if tick.out_s > MAX_DURATION_S:
            endless = True
            running.cancel()

    running = asyncio.ensure_future(run_ffmpeg(command.arguments(), on_tick=look, limits=limits))
    try:
        return await running
    except asyncio.CancelledError:
        if not endless:
            raise
        raise InvalidJob(
            f"the output became longer than {MAX_DURATION_S // 3600} hours, the most that is read: "
            "a filter or an option that never ends, such as loop=-1, needs an end, as by -t"
        ) from None
    except ProcessFailed as error:
        raise InvalidJob(
            f"FFmpeg could not do it (exit code {error.code}): {error.stderr or 'it says nothing'}"
        ) from error
