"""Find black borders: what stays black in samples from all over the film.

FFmpeg's `cropdetect` looks at one spot after the other; their union is the picture. A spot that
is dark altogether says nothing, so a night scene cannot cut the film.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from longtake.contracts.media import VideoFacts
from longtake.errors import InputCorrupt
from media.children.process import ProcessFailed, run_ffmpeg
from media.ffmpeg.command import Ffmpeg, filters
from media.ffmpeg.filter_files import escaped
from media.picture.geometry import Rectangle
from media.picture.pixels import SCALER
from media.probing.index import Index
from media.transcode.chunks import cut
from media.transcode.video import trim

SPOTS = 12
FEWEST = 4
"""With fewer spots at which a decoder can start, the whole film is gone through."""
FRAMES_A_SPOT = 8
EVERY = 12
"""Then every so-many-th frame is looked at."""
BLACK = 24
"""Luma of 8 bits up to which a line counts as black: 16 is black, the rest noise."""
LEAST = Fraction(4, 100)
"""Of a side: thinner borders are blanking or noise, and are left."""
MOST = Fraction(45, 100)
"""Of a side that may go: more is a dark film, not a border."""

Look = tuple[Ffmpeg, str | None]
"""What to read, and which of its frames; None is all."""
_FOUND = re.compile(r"lavfi\.cropdetect\.(x1|x2|y1|y2)=(-?\d+)")


async def find_borders(
    source: Path,
    demuxer: str,
    facts: VideoFacts,
    index: Index,
    start: int | None,
    end: int | None,
    report: Path,
) -> str | None:
    """The picture inside its borders as `WIDTH:HEIGHT:LEFT:TOP` of the upright frame; None
    where there are none. Looks from pts `start` to `end`; FFmpeg writes what it finds to
    `report`. Raises what `run_ffmpeg` raises."""
    turned = facts.rotation in (90, 270)
    size = (facts.height, facts.width) if turned else (facts.width, facts.height)
    spots = _spots(index, start, end)
    if spots:
        looks = [_at(source, demuxer, facts.index, index, seek) for seek in spots]
    else:
        looks = [_throughout(source, demuxer, facts.index, start, end)]
    return _decide([await _look(source, look, report) for look in looks], size)


def _spots(index: Index, start: int | None, end: int | None) -> list[int | None]:
    """Where to look: keyframes, evenly spread; none where there are too few."""
    frames = index.slice(start, end)
    if not frames or index.unreliable:
        return []
    length = max((frames[-1] - frames[0]) * index.time_base / SPOTS, Fraction(1, 100))
    starts = [chunk.start_pts for chunk in cut(index, start, end, length)]
    spots = [pts for pts in starts if pts is None or pts in index.keyframes]
    return spots if len(spots) >= FEWEST else []


def _at(source: Path, demuxer: str, stream: int, index: Index, seek: int | None) -> Look:
    """A few frames from a keyframe on."""
    begin = Ffmpeg.from_keyframe(seek, index.time_base)
    command = Ffmpeg.quiet().read(source, demuxer, "-copyts", *begin)
    return command.then("-map", f"0:{stream}", "-frames:v", str(FRAMES_A_SPOT)), None


def _throughout(
    source: Path, demuxer: str, stream: int, start: int | None, end: int | None
) -> Look:
    """Frames from all over the film, or the clip."""
    command = Ffmpeg.quiet().read(source, demuxer, "-copyts").then("-map", f"0:{stream}")
    return command, filters((trim(start, end), f"select=not(mod(n\\,{EVERY}))"))


async def _look(source: Path, look: Look, report: Path) -> Rectangle | None:
    """Left, top, right and bottom of what is not black; None if all is black."""
    command, chosen = look
    steps = (
        chosen,
        # Whatever the range and depth, black is 16 here.
        f"scale=out_range=limited:flags={SCALER},format=yuv420p",
        f"cropdetect=limit={BLACK}:round=2:skip=0:reset=0",
        f"metadata=print:file={escaped(report)}",
    )
    command = command.then("-vf", filters(steps)).write("-", "null")
    try:
        await run_ffmpeg(command.arguments())
    except ProcessFailed as error:
        raise InputCorrupt(
            f"{source.name} could not be looked through for borders (exit code {error.code}): "
            f"{error.stderr}"
        ) from error
    said = _FOUND.findall(_taken(report))
    found = {name: int(value) for name, value in said}  # the last word counts
    left, top, right, bottom = (found.get(name, 0) for name in ("x1", "y1", "x2", "y2"))
    return (left, top, right + 1, bottom + 1) if right > left and bottom > top else None


def _taken(report: Path) -> str:
    """What FFmpeg wrote; gone then, so that the next look is not taken for this one."""
    if not report.exists():
        return ""
    said = report.read_text("ascii")
    report.unlink()
    return said


def _decide(boxes: Iterable[Rectangle | None], size: tuple[int, int]) -> str | None:
    seen = [box for box in boxes if box is not None]
    if not seen:
        return None
    left, width = _side(min(b[0] for b in seen), max(b[2] for b in seen), size[0])
    top, height = _side(min(b[1] for b in seen), max(b[3] for b in seen), size[1])
    return None if (width, height) == size else f"{width}:{height}:{left}:{top}"


def _side(first: int, last: int, whole: int) -> tuple[int, int]:
    """Begin and length along one side, even and inside the picture; the whole side where the
    borders are too thin or too thick to be borders, or not alike: a dark corner is picture."""
    before, behind = first, whole - last
    alike = max(before, behind) <= 2 * min(before, behind)
    if not alike or not LEAST * whole <= before + behind <= MOST * whole:
        return 0, whole
    first, last = -(-first // 2) * 2, last // 2 * 2
    return first, last - first
