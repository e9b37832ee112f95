"""The chunk plan: where a picture's timeline is cut, so that its pieces tile it exactly.

Pure arithmetic on the packet index, in integers of the stream's time base.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from fractions import Fraction
from itertools import pairwise

from longtake.contracts.base import Contract
from media.probing.index import Index


class Chunk(Contract):
    """Frames with `start_pts` ≤ pts < `end_pts`; None is the source's own edge."""

    start_pts: int | None
    end_pts: int | None
    seek_pts: int | None
    """Keyframe at which decoding begins; None decodes from the first packet.

    Where the boundary's own GOP is not known to be closed, it lies one GOP before: leading
    pictures need references from there (measured: without it, HEVC and MPEG-2 lose frames).
    """
    lead_pts: int | None = None
    """Filters begin to look here, at or before `start_pts`; None is the source's edge."""
    tail_pts: int | None = None
    """Filters look up to here (not included), at or behind `end_pts`; None is the edge."""


SHORTEST_S = Fraction(2)


def chunk_length(duration_s: Fraction) -> Fraction:
    """Seconds of content in a chunk at most, by the length of the whole.

    Short films are cut finer, so that four slots have work; long ones coarser, so that an
    hour is not a thousand steps. A kill costs at most one chunk a slot.
    """
    return min(max(duration_s / 60, Fraction(5)), Fraction(30))


def cut(
    index: Index,
    start: int | None,
    end: int | None,
    length_s: Fraction,
    shortest_s: Fraction | None = None,
) -> tuple[Chunk, ...]:
    """Cut the frames from `start` to `end` at keyframes, each chunk `length_s` or longer.

    With `shortest_s` the chunks become shorter toward the end, down to that: an eighth of what
    is left (guided self-scheduling, Polychronopoulos and Kuck 1987), so that no slot waits
    long for another at the end, and a kill there costs little.
    The last chunk may be shorter, but not shorter than a third: it joins the one before.
    """
    frames = index.slice(start, end)
    if not frames:
        return ()
    boundaries = _boundaries(index, frames, length_s, shortest_s or length_s)
    edges: list[int | None] = [start, *boundaries, end]
    return tuple(
        Chunk(start_pts=a, end_pts=b, seek_pts=seek_point(index, a)) for a, b in pairwise(edges)
    )


def whole(index: Index, start: int | None, end: int | None) -> tuple[Chunk, ...]:
    """One chunk, decoded from the first packet, for sources that cannot be cut."""
    return (Chunk(start_pts=start, end_pts=end, seek_pts=None),) if index.pts else ()


def halves(index: Index, chunk: Chunk) -> tuple[Chunk, ...]:
    """A chunk in two, where there is no keyframe to cut at: the second half decodes the first
    again and drops it. One that is shorter than a second stays whole."""
    frames = index.slice(chunk.start_pts, chunk.end_pts)
    if (frames[-1] - frames[0]) * index.time_base < 1:
        return (chunk,)
    middle = frames[len(frames) // 2]
    return (
        chunk.model_copy(update={"end_pts": middle}),
        chunk.model_copy(update={"start_pts": middle}),
    )


def with_run_in(
    index: Index, chunks: tuple[Chunk, ...], before: int, after: int
) -> tuple[Chunk, ...]:
    """Chunks whose filters see so many frames `before` and `after` the chunk's own."""
    return tuple(_with_run_in(index, chunk, before, after) for chunk in chunks)


def _with_run_in(index: Index, chunk: Chunk, before: int, after: int) -> Chunk:
    lead, seek, tail = chunk.start_pts, chunk.seek_pts, chunk.end_pts
    if lead is not None and before:
        first = bisect_left(index.pts, lead) - before
        lead = index.pts[first] if first > 0 else None
        seek = seek_point(index, lead) if seek is not None else None
    if tail is not None and after:
        last = bisect_left(index.pts, tail) + after
        tail = index.pts[last] if last < len(index.pts) else None
    return chunk.model_copy(update={"lead_pts": lead, "tail_pts": tail, "seek_pts": seek})


def heaviest_first(index: Index, chunks: tuple[Chunk, ...]) -> tuple[int, ...]:
    """Numbers of the chunks, the longest work first: so no slot is idle for long at the end.

    More frames, more work, and a richer source, more bytes; each tells half of it (longest
    processing time first, R. L. Graham 1969).
    """
    frames = [len(index.slice(chunk.start_pts, chunk.end_pts)) for chunk in chunks]
    sizes = [index.size(chunk.start_pts, chunk.end_pts) for chunk in chunks]
    weights = [a * sum(sizes) + b * sum(frames) for a, b in zip(frames, sizes, strict=True)]
    return tuple(sorted(range(len(chunks)), key=lambda number: -weights[number]))


def _boundaries(
    index: Index, frames: tuple[int, ...], length_s: Fraction, shortest_s: Fraction
) -> list[int]:
    longest, shortest = length_s / index.time_base, shortest_s / index.time_base
    last_pts = frames[-1]
    boundaries: list[int] = []
    at = Fraction(frames[0])
    while True:
        length = min(max((last_pts - at) / 8, shortest), longest)
        following = bisect_left(index.keyframes, at + length)
        if following == len(index.keyframes) or index.keyframes[following] > last_pts:
            break
        boundaries.append(index.keyframes[following])
        at = Fraction(index.keyframes[following])
    if boundaries and (last_pts - boundaries[-1]) * 3 < length:
        boundaries.pop()
    return boundaries


def seek_point(index: Index, start: int | None) -> int | None:
    """Keyframe at which to begin to decode for `start`; None is the first packet."""
    if start is None:
        return None
    own = bisect_right(index.keyframes, start) - 1
    if own >= 0 and index.keyframes[own] in index.closed:
        return index.keyframes[own]
    return index.keyframes[own - 1] if own >= 1 else None
