"""Make the renditions of a package with the engine, without Temporal, and look at them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from longtake.contracts.package import Package
from longtake.packages import resolve_package
from media.package.plan import Made, plan_package
from media.package.rungs import encode_rungs
from media.probing.in_child import inspect_in_child
from media.probing.index import Index
from media.transcode.fragments import Joining, decode_as_shown
from media.transcode.video import ChunkMismatch
from tests.media.engine import no_tick, run

SMALL: dict[str, Any] = {
    "preset": "convert-to-hls",
    "ladder": [
        {"height": 180, "max_bitrate_bps": 400_000},
        {"height": 90, "max_bitrate_bps": 200_000},
    ],
    "speed": {"h264": "superfast"},
}


@dataclass(frozen=True)
class Renditions:
    """Renditions that the engine made, by name, each whole."""

    paths: dict[str, Path]
    made: Made
    index: Index
    fell_back: bool

    @property
    def start_s(self) -> Fraction:
        """When the first frame is shown."""
        return self.made.plan.picture.start_s


async def make_renditions(source: Path, folder: Path, **options: Any) -> Renditions:
    """Plan a package of `source` and encode its picture, as the steps do."""
    job = Package(input=str(source), output=str(folder / "out"), **{**SMALL, **options})
    facts, index = await inspect_in_child(source)
    assert index is not None
    made = plan_package(facts, index, resolve_package(job))
    try:
        return Renditions(await _encode(source, made, index, folder), made, index, False)
    except ChunkMismatch:
        made = plan_package(facts, index, resolve_package(job), one_chunk=True)
        return Renditions(await _encode(source, made, index, folder), made, index, True)


async def _encode(source: Path, made: Made, index: Index, folder: Path) -> dict[str, Path]:
    plan = made.plan
    frames = plan.frames(index)
    chunks: list[dict[int, Path]] = []
    for number, chunk in enumerate(plan.chunks):
        targets = {n: folder / f"chunk-{number}-{n}.mp4" for n in range(len(plan.renditions))}
        await encode_rungs(source, plan, frames, chunk, targets, no_tick)
        chunks.append(targets)
    paths = {}
    for number, rendition in enumerate(plan.renditions):
        paths[rendition.name] = folder / f"{rendition.name}.mp4"
        with Joining(paths[rendition.name], len(chunks)) as track:
            for targets in chunks:
                track.add(targets[number], rendition.video.start_s)
        decode_as_shown(paths[rendition.name], plan.last_s)
    return paths


def grey(path: Path, *options: str) -> list[bytes]:
    """Every frame, in order, as a few grey pixels."""
    raw = path.with_suffix(".grey")
    run(
        *(*options, "-i", path, "-map", "0:v:0", "-vf", "scale=32:18:flags=area,format=gray"),
        *("-fps_mode", "passthrough", "-f", "rawvideo", raw),
    )
    data = raw.read_bytes()
    return [data[at : at + 576] for at in range(0, len(data), 576)]


def distance(some: list[bytes], others: list[bytes]) -> float:
    """Mean difference of grey values, frame against frame."""
    pairs = list(zip(some, others, strict=False))
    return sum(sum(abs(a - b) for a, b in zip(*pair, strict=True)) for pair in pairs) / (
        576 * len(pairs)
    )


def end_of(path: Path) -> Fraction:
    """When a rendition's last frame ends, in seconds."""
    with av.open(str(path)) as film:
        track = film.streams.video[0]
        packets = [packet for packet in film.demux(track) if packet.size]
        last = max((packet.dts or 0) + (packet.duration or 0) for packet in packets)
        return last * Fraction(track.time_base or 0)
