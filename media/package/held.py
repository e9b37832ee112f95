"""Frames that a package holds, so that all of its renditions begin and end together.

The lead-in: the first frame, shown from the start on, of a picture that begins after its sound.
The lead-out: the last frame, shown until the end, of a picture that ends before its sound.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction

from longtake.contracts.base import Contract
from media.probing.index import Index
from media.transcode.chunks import Chunk, with_run_in
from media.transcode.plan import VideoPlan

LEAST = Fraction(3, 2)
"""So many frames late is a picture that gets a lead-in; players bridge less by themselves."""
APART_S = 0.25
"""So many seconds before its sound ends a picture that gets a lead-out."""
STILL_RATE = Fraction(5)
"""Frames a second of a picture that has but one, and so no rate; slower ones are held at it."""


class Held(Contract):
    """So many frames, spread evenly over so many ticks of the picture's clock."""

    frames: int
    ticks: int

    def times(self) -> tuple[int, ...]:
        """When they are shown, in ticks from the first of them on."""
        return tuple(number * self.ticks // self.frames for number in range(self.frames))


def plan_lead_in(video: VideoPlan, rate: Fraction | None) -> Held | None:
    """What is held before the first frame, at about the picture's own `rate` in Hz; None where the
    picture is there from the start on."""
    late = video.start_s * (rate or STILL_RATE)
    ticks = int(video.start_s / video.time_base)
    frames = min(math.floor(late + Fraction(1, 2)), ticks)
    return Held(frames=frames, ticks=ticks) if late >= LEAST and frames >= 2 else None


def plan_lead_out(index: Index, end_s: float, rate: Fraction | None) -> Held | None:
    """What is held behind the last frame, until the sound ends at `end_s` (seconds on the output's
    clock); None where the picture goes on until then."""
    early_s = Fraction(str(end_s)) - (index.end_pts * index.time_base - index.origin_s)
    if early_s <= APART_S:
        return None
    ticks = int(early_s / index.time_base)
    frames = min(round(early_s * max(rate or STILL_RATE, STILL_RATE)), ticks)
    return Held(frames=frames, ticks=ticks) if frames else None


def led_video(video: VideoPlan, lead_in: Held) -> VideoPlan:
    """The picture on a clock that begins with its lead-in, and not with its first own frame."""
    first_pts = video.first_pts - lead_in.ticks
    return video.model_copy(update={"first_pts": first_pts, "start_s": Fraction()})


def led_index(index: Index, lead_in: Held) -> Index:
    """The index with the frames of the lead-in before its own."""
    first_pts = index.pts[0] - lead_in.ticks
    held = tuple(first_pts + ticks for ticks in lead_in.times())
    return replace(index, pts=(*held, *index.pts), sizes=(*(0 for _ in held), *index.sizes))


def followed_index(index: Index, lead_out: Held) -> Index:
    """The index with the frames of the lead-out behind its own."""
    held = tuple(index.end_pts + ticks for ticks in lead_out.times())
    return replace(
        index,
        pts=(*index.pts, *held),
        sizes=(*index.sizes, *(0 for _ in held)),
        end_pts=index.end_pts + lead_out.ticks,
    )


def lead_in_filters(lead_in: Held) -> str:
    """Filters that put the lead-in before the frames of a `led_video`.

    `tpad` moves the frames behind it by as many steps as it makes. A step depends on the stream and
    on FFmpeg's version: it is the time of the second frame.
    """
    frames, ticks = lead_in.frames, lead_in.ticks
    step = r"if(eq(N\,1)\,st(0\,PTS))*0"
    times = rf"if(lt(N\,{frames})\,floor(N*{ticks}/{frames})\,PTS-{frames}*ld(0))"
    return f"tpad=start={frames}:start_mode=clone,setpts={step}+{times}"


def lead_out_filters(lead_out: Held, video: VideoPlan, index: Index, chunk: Chunk) -> str | None:
    """Filters that put a chunk's part of the lead-out behind the chunk's own frames; None where it
    has no part of it. `index` has the held frames.

    A chunk of held frames alone decodes the frame that it holds, and drops it.
    """
    end_pts = index.end_pts - lead_out.ticks
    shown = index.slice(chunk.start_pts, chunk.end_pts)
    own = bisect_left(shown, end_pts)
    if own == len(shown):
        return None
    first = bisect_left(lead_out.times(), shown[own] - end_pts)
    number = f"(N-{own or 1}+{first})"
    # In two parts, as the times of hours in nanoseconds have more digits than a float.
    whole, rest = divmod(lead_out.ticks, lead_out.frames)
    time = f"{end_pts - video.first_pts}+{number}*{whole}+floor({number}*{rest}/{lead_out.frames})"
    drop = "" if own else f",trim=start_pts={shown[0] - video.first_pts}"
    return (
        f"tpad=stop={len(shown) - own}:stop_mode=clone,"
        rf"setpts=if(lt(N\,{own or 1})\,PTS\,{time}){drop}"
    )


def decoded(chunk: Chunk, last_pts: int) -> Chunk:
    """The chunk of the source's own frames, up to `last_pts`, that a chunk is made from."""
    start, end = chunk.start_pts, chunk.end_pts
    return chunk.model_copy(
        update={
            "start_pts": None if start is None else min(start, last_pts),
            "end_pts": None if end is None or end > last_pts else end,
        }
    )


def with_reach(index: Index, chunks: tuple[Chunk, ...], reach: int) -> tuple[Chunk, ...]:
    """Chunks whose filters see so many frames of the source's own `index` on both sides."""
    own = tuple(decoded(chunk, index.pts[-1]) for chunk in chunks)
    return tuple(
        seen.model_copy(update={"start_pts": chunk.start_pts, "end_pts": chunk.end_pts})
        for seen, chunk in zip(with_run_in(index, own, reach, reach), chunks, strict=True)
    )
