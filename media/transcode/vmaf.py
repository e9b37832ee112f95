"""VMAF of a chunk, measured by the command that encodes it.

FFmpeg decodes what it has just encoded and compares it with what it gave to the encoder, so that
the source is decoded, scaled and tone-mapped once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from longtake.contracts.media import MediaFacts
from longtake.errors import InvalidJob
from longtake.quality import VMAF_MODEL, every
from media.ffmpeg.filter_files import escaped
from media.picture.colour import keeps_hdr
from media.probing.index import Index
from media.transcode.chunks import Chunk
from media.transcode.plan import Plan, VideoPlan
from media.transcode.timing import planned_times

KEPT = "kept"
"""Label of the frames to compare with, as the encoder was given them."""
ALIKE = (
    "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=limited"
    ",settb=1/1000,setpts=N*40"
)
"""Filters of both sides. By number of the frame: both hold the same ones, in clocks that may
differ. One colour for both: where only one of them is tagged, FFmpeg would convert it before it
compares."""


def check_measurable(facts: MediaFacts, plan: Plan) -> None:
    """Raises InvalidJob for a picture that VMAF is not defined for."""
    if plan.video and not plan.video.copied and keeps_hdr(facts.video[0], plan.video.settings):
        raise InvalidJob(
            "the picture stays HDR, and VMAF is not defined for HDR: use crf instead of quality, "
            "or `hdr: sdr`"
        )


@dataclass(frozen=True)
class Measure:
    """Of a chunk: where libvmaf writes its scores, and which frames of the film it has."""

    report: Path
    first: int
    frames: int
    every: int
    """Every so-many-th frame of the film is scored."""


def measure_of(video: VideoPlan, index: Index, chunk: Chunk, report: Path) -> Measure:
    """What is needed to score one of the picture's chunks."""
    before = video.chunks[: video.chunks.index(chunk)]
    first = sum(len(planned_times(video, index, each)) for each in before)
    frames = len(planned_times(video, index, chunk))
    return Measure(report, first, frames, every(video.frames))


def scoring(pixel_format: str, measure: Measure) -> tuple[str, ...]:
    """What follows a command's encoder so that its output is scored as it is made, on one thread:
    the frames labelled `KEPT` against those of the first output that `chosen` names, too."""
    graph = (
        f"[{KEPT}]{ALIKE}[reference];"
        f"[dec:0]{chosen(measure)},format={pixel_format},{ALIKE}[encoded];"
        f"[encoded][reference]libvmaf=model=version={VMAF_MODEL}:n_threads=1:n_subsample=3"
        f":log_fmt=json:log_path={escaped(measure.report)}[scored]"
    )
    return (
        *("-threads", "1", "-dec", "0:0", "-filter_complex", graph, "-map", "[scored]"),
        *("-fps_mode", "passthrough", "-enc_time_base", "filter", "-f", "null", "-"),
    )


def chosen(measure: Measure) -> str:
    """Filters that let through every so-many-th frame of the film, with the one before it and the
    one behind, as VMAF looks at motion; and three frames before the first of them, as libvmaf
    scores its own first frame and each third from there on. Of a very short chunk the first that
    can be scored.

    What comes behind the last of them ends the filters, and with them the decoder. The frames
    that the encoder is given go through them where they are made: in front of the comparison
    they would wait in memory until their turn comes, as many as the encoder looks ahead.
    """
    scored = 3 + (-measure.first - 3) % max(1, min(measure.every, measure.frames - 4))
    begin = scored - 1
    last = max(scored, measure.frames - 1 - (measure.frames - 1 - scored) % measure.every)
    return (
        f"trim=end_frame={last + 2},select=between(n\\,{scored - 3}\\,{scored - 2})"
        f"+gte(n\\,{begin})*lt(mod(n-{begin}\\,{measure.every})\\,3)"
    )


def score(report: Path) -> float:
    """The mean VMAF that libvmaf wrote, 0 to 100.

    The first is left out where there are more: it was seen without motion before it.
    """
    frames = json.loads(report.read_text("ascii"))["frames"]
    scores = [frame["metrics"]["vmaf"] for frame in frames[1:] or frames]
    return round(float(sum(scores) / len(scores)), 2)
