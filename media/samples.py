"""The samples of a picture by which a target quality is found: short, and from all over it."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from itertools import pairwise

from longtake.contracts.media import MediaFacts
from longtake.errors import InvalidJob
from media.chunks import Chunk, seek_point, with_run_in
from media.colour import keeps_hdr
from media.index import Index
from media.plan import Plan, VideoPlan
from media.timing import span

LENGTH_S = Fraction(2)
"""Of a sample. Shorter ones score too low (decision 18)."""
FEWEST, MOST = 6, 40
SHARE = Fraction(8, 100)
"""Of the picture that is in samples, within the bounds of their number."""
WHOLE_S = FEWEST * LENGTH_S
"""A picture up to this long is probed whole: its last probe may then be its encode."""


def check_measurable(facts: MediaFacts, plan: Plan) -> None:
    """Raises InvalidJob for a picture that VMAF is not defined for."""
    if plan.video and not plan.video.copied and keeps_hdr(facts.video[0], plan.video.settings):
        raise InvalidJob(
            "the picture stays HDR, and VMAF is not defined for HDR: use crf instead of quality, "
            "or `hdr: sdr`"
        )


def with_samples(plan: Plan, index: Index) -> tuple[Plan, tuple[int, ...]]:
    """The plan cut so that some of its chunks are the samples, and the numbers of these.

    The chunks tile the picture as a job's own do, so that filters and times are the same.
    """
    video = plan.picture
    chunks = video.chunks
    start, end = chunks[0].start_pts, chunks[-1].end_pts
    frames = index.slice(start, end)
    length = (frames[-1] - frames[0]) * index.time_base
    if len(chunks) > 1 and video.exact and length > WHOLE_S:
        edges = _edges(index, frames, length)
        cut = _tiles(index, video, start, end, edges)
        begins = {begin for begin, _ in edges}
        samples = tuple(n for n, chunk in enumerate(cut) if _begin(chunk, frames) in begins)
        if all(_filled(video, cut, cut[number]) for number in samples):
            chosen = video.model_copy(update={"chunks": cut})
            return plan.model_copy(update={"video": chosen}), samples
    return plan, tuple(range(len(chunks)))


def _edges(index: Index, frames: tuple[int, ...], length: Fraction) -> list[tuple[int, int]]:
    """Begin and end of each sample, one from each of as many equal parts of the picture."""
    count = min(max(int(length * SHARE / LENGTH_S), FEWEST), MOST)
    each = LENGTH_S / index.time_base
    part = (frames[-1] - frames[0]) / Fraction(count)
    edges = []
    for number in range(count):
        first = frames[0] + number * part
        begin = _keyframe_in(index, first, first + part - each)
        if begin is None:  # the decoder runs in from further back
            begin = frames[bisect_left(frames, first + (part - each) / 2)]
        behind = bisect_left(frames, begin + each)
        edges.append((begin, frames[min(behind, len(frames) - 1)]))
    return edges


def _keyframe_in(index: Index, first: Fraction, last: Fraction) -> int | None:
    """The keyframe nearest to the middle of this span; None where there is none."""
    low, high = bisect_left(index.keyframes, first), bisect_left(index.keyframes, last)
    middle = (first + last) / 2
    return min(index.keyframes[low:high], key=lambda pts: abs(pts - middle), default=None)


def _tiles(
    index: Index,
    video: VideoPlan,
    start: int | None,
    end: int | None,
    edges: list[tuple[int, int]],
) -> tuple[Chunk, ...]:
    first = index.slice(start, end)[0]
    inner = sorted({pts for edge in edges for pts in edge} - {first})
    chunks = tuple(
        Chunk(start_pts=a, end_pts=b, seek_pts=seek_point(index, a))
        for a, b in pairwise([start, *inner, end])
    )
    return with_run_in(index, chunks, video.reach, max(video.reach, 1 if video.grid else 0))


def _begin(chunk: Chunk, frames: tuple[int, ...]) -> int:
    return frames[0] if chunk.start_pts is None else max(chunk.start_pts, frames[0])


def _filled(video: VideoPlan, chunks: tuple[Chunk, ...], chunk: Chunk) -> bool:
    if video.grid is None:
        return True
    first, last = span(video.grid, chunks, chunk)
    return first < last
