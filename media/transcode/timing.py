"""When the output's frames are shown: at the source's times, or on a grid of constant rate."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from longtake.contracts.encode import VideoSettings
from longtake.contracts.media import VideoFacts
from media.probing.index import Index
from media.transcode.chunks import Chunk
from media.transcode.plan import Grid, VideoPlan


def constant_rate(facts: VideoFacts, settings: VideoSettings) -> Fraction | None:
    """The rate to bring the picture to; None where its frames stay as they come."""
    asked, own = settings.frame_rate, facts.frame_rate
    if asked is None or own is None:  # a single frame has no rate
        return None
    if settings.conform:
        return asked
    return asked if own > asked or facts.variable_frame_rate else None


def make_grid(index: Index, frames: Sequence[int], end: int | None, rate: Fraction) -> Grid:
    """The grid for the source's `frames`, of which the last is shown until `end`."""
    grid = Grid(rate=rate, first_pts=frames[0], time_base=index.time_base, frames=0)
    until = index.end_pts if end is None else min(end, index.end_pts)
    return grid.model_copy(update={"frames": max(1, grid.tick(until))})


def clock(video: VideoPlan) -> Fraction:
    """Seconds of one tick of the rendition's time base."""
    return 1 / video.grid.rate if video.grid else video.time_base


def span(grid: Grid, chunks: Sequence[Chunk], chunk: Chunk) -> tuple[int, int]:
    """The ticks of one of the chunks: the first, and the one after the last."""
    start, end = chunk.start_pts, chunk.end_pts
    first = 0 if chunk == chunks[0] or start is None else grid.tick(start)
    last = grid.frames if chunk == chunks[-1] or end is None else grid.tick(end)
    return first, last


def all_filled(grid: Grid, chunks: Sequence[Chunk]) -> bool:
    """Whether a frame falls into every chunk; at one frame a second a short one may be empty."""
    return all(a < b for a, b in (span(grid, chunks, chunk) for chunk in chunks))


def planned_times(video: VideoPlan, index: Index, chunk: Chunk | None = None) -> list[int]:
    """When the frames of a chunk, or of the whole, are shown: in ticks from the first frame."""
    if video.grid:
        ticks = span(video.grid, video.chunks, chunk) if chunk else (0, video.grid.frames)
        return list(range(*ticks))
    first, last = chunk or video.chunks[0], chunk or video.chunks[-1]
    return [pts - video.first_pts for pts in index.slice(first.start_pts, last.end_pts)]
