"""The lead-in of a package whose picture begins after its sound: the first frame, held from the
start on, so that picture, sound and captions of every rendition begin together.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from longtake.contracts.base import Contract
from media.probing.index import Index
from media.transcode.plan import VideoPlan

LEAST = Fraction(3, 2)
"""So many frames late is a picture that gets a lead-in; players bridge less by themselves."""
STILL_RATE = Fraction(25)
"""Frames a second, where the source has but one frame and so no rate."""


class LeadIn(Contract):
    """So many frames, spread evenly over so many ticks of the picture's clock, before its own."""

    frames: int
    ticks: int

    def times(self) -> tuple[int, ...]:
        """When they are shown, in ticks from the start."""
        return tuple(number * self.ticks // self.frames for number in range(self.frames))


def plan_lead_in(video: VideoPlan, rate: Fraction | None) -> LeadIn | None:
    """What is held before the first frame, at about the picture's own `rate` in Hz; None where the
    picture is there from the start on."""
    late = video.start_s * (rate or STILL_RATE)
    ticks = int(video.start_s / video.time_base)
    frames = min(math.floor(late + Fraction(1, 2)), ticks)
    return LeadIn(frames=frames, ticks=ticks) if late >= LEAST and frames >= 2 else None


def led_video(video: VideoPlan, lead_in: LeadIn) -> VideoPlan:
    """The picture on a clock that begins with its lead-in, and not with its first own frame."""
    first_pts = video.first_pts - lead_in.ticks
    return video.model_copy(update={"first_pts": first_pts, "start_s": Fraction()})


def led_index(index: Index, lead_in: LeadIn) -> Index:
    """The index with the frames of the lead-in before its own."""
    first_pts = index.pts[0] - lead_in.ticks
    held = tuple(first_pts + ticks for ticks in lead_in.times())
    return replace(index, pts=(*held, *index.pts), sizes=(*(0 for _ in held), *index.sizes))


def lead_in_filters(lead_in: LeadIn) -> str:
    """Filters that put the lead-in before the frames of a `led_video`.

    `tpad` moves the frames behind it by as many steps as it makes. A step depends on the stream and
    on FFmpeg's version: it is the time of the second frame.
    """
    frames, ticks = lead_in.frames, lead_in.ticks
    step = r"if(eq(N\,1)\,st(0\,PTS))*0"
    times = rf"if(lt(N\,{frames})\,floor(N*{ticks}/{frames})\,PTS-{frames}*ld(0))"
    return f"tpad=start={frames}:start_mode=clone,setpts={step}+{times}"
