"""VMAF of an encoded chunk against the frames that its encoder was given."""

from __future__ import annotations

import json
from pathlib import Path

from longtake.errors import InputCorrupt
from longtake.quality import VMAF_MODEL
from media.chunks import Chunk
from media.filter_files import escaped, written
from media.plan import Plan
from media.process import Finished, OnTick, ProcessFailed, run_ffmpeg
from media.video import picture_graph, reading

EVERY = 5
"""Every so-many-th frame is scored, as scoring is costly. Not every second or third: the
mean of those was up to half a VMAF off (decision 18)."""
COLOUR = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=limited"


async def score(
    source: Path,
    plan: Plan,
    chunk: Chunk,
    encoded: Path,
    report: Path,
    on_tick: OnTick,
    mark: Path | None = None,
) -> tuple[float, Finished]:
    """The mean VMAF of a chunk, 0 to 100, on one thread; libvmaf writes to `report`.

    The first frame is left out where there are more: it has no motion before it, and stands
    for too little of a film. Raises InputCorrupt and what `run_ffmpeg` raises.
    """
    video = plan.picture
    with written(video.files, report) as files:
        # By number of the frame: both hold the same ones, in clocks that may differ. One colour for
        # both: where only one of them is tagged, FFmpeg would convert it before it compares.
        alike = f"format={video.pixel_format},{COLOUR},settb=1/1000,setpts=N*40"
        number = 1 if mark is None else 2
        graph = (
            f"{picture_graph(video, chunk, files)},{alike}[reference];"
            f"[{number}:v]{alike}[encoded];"
            f"[encoded][reference]libvmaf=model=version={VMAF_MODEL}:n_threads=1"
            f":n_subsample={EVERY}:log_fmt=json:log_path={escaped(report)}[scored]"
        )
        command = (
            reading(source, plan, chunk, mark)
            .read(encoded, "mov")
            .then("-filter_complex", graph, "-map", "[scored]")
            .write("-", "null")
        )
        try:
            finished = await run_ffmpeg(command.arguments(), on_tick=on_tick)
        except ProcessFailed as error:
            raise InputCorrupt(
                f"{source.name} could not be measured (exit code {error.code}): {error.stderr}"
            ) from error
    return _mean(report), finished


def _mean(report: Path) -> float:
    frames = json.loads(report.read_text("ascii"))["frames"]
    scores = [frame["metrics"]["vmaf"] for frame in frames[1:] or frames]
    return float(sum(scores) / len(scores))
