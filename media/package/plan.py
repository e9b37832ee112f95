"""The plan of a package: its renditions, and where their one timeline is cut.

Segments lie on a fixed grid of the output's clock: one begins with the first frame at or after
each multiple of its length. So do GOPs. Chunks are whole segments.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from longtake.contracts.base import Contract, Rational
from longtake.contracts.encode import AudioSettings, EncodeSettings, VideoSettings
from longtake.contracts.media import HdrLight, MediaFacts, VideoFacts
from longtake.contracts.package import Package, Rung, VideoRange
from longtake.errors import InputUnsupported
from longtake.words import counted
from media.encoders.h264 import streamed_level
from media.package.held import (
    STILL_RATE,
    Held,
    followed_index,
    led_index,
    led_video,
    plan_lead_in,
    plan_lead_out,
    with_reach,
)
from media.package.ladder import fixed_ladder, given_ladder
from media.package.tracks import Sound, Words, ending_with, plan_sound, plan_words, unused
from media.picture.colour import keeps_hdr
from media.picture.pixels import output_size
from media.probing.index import Index
from media.probing.light import without_light
from media.transcode.chunks import Chunk, chunk_length, seek_point, whole
from media.transcode.plan import Plan, VideoPlan
from media.transcode.planning import make_plan

SHORT_S = 0.3
"""In seconds: what lasts less is no film to hls.js."""
_SHORT = "it lasts {:.3g} s: hls.js 1.7 shows nothing of a film under 0.3 s; other players do"
AHEAD = 3
"""So many segments are looked at for one where the decoder need not begin far before."""


class Rendition(Contract):
    """A rendition of the picture."""

    name: str
    """Such as `h264-720p`."""
    width: int
    height: int
    video_range: VideoRange
    frame_rate: Rational | None = None
    """In Hz; of a picture whose rate varies, the highest that lasts."""
    video: VideoPlan
    above: int | None = None
    """Number of the rendition whose frames this one is scaled from; None: the source's."""


class PackagePlan(Contract):
    """A package."""

    demuxer: str
    origin_s: Rational
    """What becomes zero in the package, in seconds on the source's own clock."""
    media_s: float
    segment_s: Rational
    gop_s: Rational
    renditions: tuple[Rendition, ...]
    lead_in: Held | None = None
    """What is shown before the source's first frame, in the first chunk."""
    lead_out: Held | None = None
    """What is shown behind the source's last frame."""
    chunks: tuple[Chunk, ...]
    sounds: tuple[Sound, ...]
    words: tuple[Words, ...]

    @property
    def picture(self) -> VideoPlan:
        """What all renditions of the picture share: stream, clock, frames. Raises ValueError."""
        if not self.renditions:
            raise ValueError("the package has no picture")
        return self.renditions[0].video

    def frames(self, index: Index) -> Index:
        """The frames of every rendition: the source's `index`, and those that are held."""
        followed = followed_index(index, self.lead_out) if self.lead_out else index
        return led_index(followed, self.lead_in) if self.lead_in else followed

    @property
    def last_s(self) -> Fraction | None:
        """How long the last frame is shown, where it is held; None: as its encoder says."""
        held = self.lead_out
        return (held.ticks - held.times()[-1]) * self.picture.time_base if held else None


class Made(Contract):
    """A plan, the plan of its sound, and what people are told."""

    plan: PackagePlan
    sound: Plan
    decisions: dict[str, str]
    warnings: tuple[str, ...]


def plan_package(
    facts: MediaFacts, index: Index | None, job: Package, *, one_chunk: bool = False
) -> Made:
    """Plan a package of a complete job. `one_chunk`: the source cannot be cut.

    Raises InvalidJob and InputUnsupported.
    """
    codecs = job.codecs or ()
    if codecs and (not facts.video or index is None):
        raise InputUnsupported(
            "the source has no picture; to package its sound, use `--preset audio-only-hls`"
        )
    if not codecs and not facts.audio:
        raise InputUnsupported("the source has no sound, and the package shall have no picture")
    warnings = list(facts.warnings)
    decisions: dict[str, str] = {}
    renditions: tuple[Rendition, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    lead_in: Held | None = None
    lead_out: Held | None = None
    sound, sounds = plan_sound(facts, index, job)
    if codecs and index is not None:
        rungs = ladder_of(facts.video[0], job)
        plans = [plan_rung(facts, index, job, rung) for rung in rungs]
        rate = _rate(facts.video[0], index)
        renditions = cascaded(facts.video[0], rungs, [plan.picture for plan in plans], rate)
        lead_in = plan_lead_in(renditions[0].video, facts.video[0].frame_rate)
        if lead_in:
            renditions = tuple(_led(rendition, lead_in) for rendition in renditions)
            decisions["lead-in"] = _lead_in_words(lead_in, renditions[0].video.time_base)
        sound_end_s = max((track.length_s for track in sound.audio), default=0.0)
        lead_out = plan_lead_out(index, sound_end_s, facts.video[0].frame_rate)
        if lead_out and not renditions[0].video.exact:
            warnings.append(_unfollowed_words(lead_out, index.time_base))
            lead_out = None
        if lead_out:
            renditions = tuple(_followed(rendition) for rendition in renditions)
            sound = ending_with(sound, followed_index(index, lead_out))
            decisions["lead-out"] = _lead_out_words(lead_out, index.time_base)
        chunks = _cut(renditions[0].video, index, lead_out, job, one_chunk=one_chunk)
        each = zip(renditions, rungs, strict=True)
        decisions["ladder"] = ", ".join(_in_words(rendition, rung) for rendition, rung in each)
        decisions |= {
            f"hdr {rung.codec}": plan.decisions["hdr"]
            for rung, plan in zip(rungs, plans, strict=True)
            if "hdr" in plan.decisions
        }
        warnings += dict.fromkeys(w for plan in plans for w in plan.warnings if w not in warnings)
    if sound.media_s < SHORT_S:
        warnings.append(_SHORT.format(sound.media_s))
    words = plan_words(facts, job)
    # An MP4 cannot hold some that a package can.
    carried = tuple(f"stream {each.stream} (" for each in words if each.stream is not None)
    warnings = [each for each in warnings if not each.startswith(carried)]
    plan = PackagePlan(
        demuxer=facts.container,
        origin_s=sound.origin_s,
        media_s=sound.media_s,
        segment_s=job.segment_s or Fraction(4),
        gop_s=job.gop_s or Fraction(2),
        renditions=renditions,
        lead_in=lead_in,
        lead_out=lead_out,
        chunks=chunks,
        sounds=sounds,
        words=words,
    )
    return Made(plan=plan, sound=sound, decisions=decisions, warnings=tuple(warnings))


def ladder_of(facts: VideoFacts, job: Package) -> tuple[Rung, ...]:
    """The rungs of a complete job, each with its codec and its crf."""
    codecs = job.codecs or ()
    if isinstance(job.ladder, tuple):
        rungs = given_ladder(facts, codecs, job.ladder)
    else:
        rungs = fixed_ladder(facts, codecs)
    own = job.crf or {}
    return tuple(
        rung.model_copy(update={"crf": own[rung.codec]})
        if rung.crf is None and rung.codec in own
        else rung
        for rung in rungs
    )


def keyframe_times(
    video: VideoPlan, index: Index, gop_s: Fraction, chunk: Chunk
) -> Iterator[tuple[int, Fraction]]:
    """The frames of a chunk at which a GOP begins, but the first: their pts, and a moment between
    each and the frame before it, in seconds on the rendition's clock.

    A moment between frames, so that no rounding of an encoder's command meets a frame.
    """
    frames = index.slice(chunk.start_pts, chunk.end_pts)
    for before, pts in pairwise(frames):
        if grid_step(video, pts, gop_s) > grid_step(video, before, gop_s):
            yield pts, (Fraction(before + pts, 2) - video.first_pts) * video.time_base


def grid_step(video: VideoPlan, pts: int, length_s: Fraction) -> int:
    """In which step of a grid a frame lies."""
    return math.floor(((pts - video.first_pts) * video.time_base + video.start_s) / length_s)


def plan_rung(
    facts: MediaFacts, index: Index, job: Package, rung: Rung, *, sdr: bool = False
) -> Plan:
    """The picture of one rendition, not cut yet. `sdr`: tone-mapped whatever the codec."""
    codec = rung.codec or "h264"
    settings = VideoSettings(
        codec=codec,
        crf=rung.crf,
        speed=(job.speed or {}).get(codec),
        height=rung.height,
        max_bitrate_bps=rung.max_bitrate_bps,
        deinterlace="auto",
        # Most players of H.264 have no HDR; the other codecs' have 10 bits for it.
        hdr="sdr" if sdr or codec == "h264" else "auto",
        profile="high" if codec == "h264" else None,
    )
    asked = EncodeSettings(
        preset=job.preset_name,
        video=settings,
        audio=AudioSettings(codec="none"),
        container="mp4",
    )
    plan = make_plan(facts, index, asked)
    video = facts.video[0]
    return _with_light(plan, video.light) if keeps_hdr(video, plan.picture.settings) else plan


def _with_light(plan: Plan, light: HdrLight | None) -> Plan:
    """What HDR says of its light is the encoder's to know, and no longer the frames': else it would
    depend on which renditions are encoded by one command."""
    own = plan.picture
    told = {"light": light, "filters": (*own.filters, *without_light())}
    return plan.model_copy(update={"video": own.model_copy(update=told)})


def cascaded(
    facts: VideoFacts, rungs: Sequence[Rung], videos: Sequence[VideoPlan], rate: Fraction | None
) -> tuple[Rendition, ...]:
    """The renditions of these rungs, planned as `videos`: each below the next larger one of the
    same kind of frames."""
    sizes = [output_size(facts, video.settings) for video in videos]
    found: list[Rendition] = []
    for number, (rung, video, size) in enumerate(zip(rungs, videos, sizes, strict=True)):
        own = video.model_copy(
            update={
                "chunks": (),
                "gop_frames": None,
                "keyframes_forced": True,
                "threads": 1,
                "hastened": (),
                "level": _level(rung, size, rate),
                # Whole ticks: fragments are moved by them, and the grid must not notice.
                "start_s": video.start_s // video.time_base * video.time_base,
            }
        )
        larger = [
            other
            for other in range(number)
            if _kind(videos[other]) == _kind(video) and sizes[other][0] >= size[0]
        ]
        name = f"{rung.codec}-{min(size)}p"
        found.append(
            Rendition(
                name=unused(name, [rendition.name for rendition in found]),
                width=size[0],
                height=size[1],
                video_range=_range(facts, video.settings),
                frame_rate=rate,
                video=own,
                above=min(larger, key=lambda other: sizes[other][0], default=None),
            )
        )
    return tuple(found)


def _level(rung: Rung, size: tuple[int, int], rate: Fraction | None) -> str | None:
    if rung.codec != "h264":
        return None
    return streamed_level(size, rate or STILL_RATE, rung.max_bitrate_bps)


def _range(facts: VideoFacts, settings: VideoSettings) -> VideoRange:
    if not keeps_hdr(facts, settings):
        return "SDR"
    return "HLG" if facts.color_transfer == "arib-std-b67" else "PQ"


def _rate(facts: VideoFacts, index: Index) -> Fraction | None:
    """HLS asks for the greatest rate. Half of the frames come at this one, or faster: a few that
    are close together make no rate."""
    if not facts.variable_frame_rate or facts.frame_rate is None:
        return facts.frame_rate
    steps = sorted(b - a for a, b in pairwise(index.pts))
    return max(facts.frame_rate, 1 / (steps[len(steps) // 2] * index.time_base))


def _kind(video: VideoPlan) -> tuple[str, bool]:
    return video.pixel_format, video.files.tone is not None


def _cut(
    video: VideoPlan, index: Index, lead_out: Held | None, job: Package, *, one_chunk: bool
) -> tuple[Chunk, ...]:
    if one_chunk or not video.exact:
        chunks = whole(index, None, None)
    else:
        segment = job.segment_s or Fraction(4)
        frames = followed_index(index, lead_out) if lead_out else index
        edges = [None, *_boundaries(video, frames, segment), None]
        chunks = tuple(
            Chunk(start_pts=a, end_pts=b, seek_pts=seek_point(index, a)) for a, b in pairwise(edges)
        )
    return with_reach(index, chunks, video.reach)


def _boundaries(video: VideoPlan, index: Index, segment_s: Fraction) -> list[int]:
    """Where chunks begin, but the first: at segments, where possible soon after a keyframe."""
    starts = [
        b
        for a, b in pairwise(index.pts)
        if grid_step(video, b, segment_s) > grid_step(video, a, segment_s)
    ]
    ticks = 1 / index.time_base
    longest = chunk_length((index.pts[-1] - index.pts[0]) * index.time_base) * ticks
    shortest = segment_s * ticks
    boundaries: list[int] = []
    at = index.pts[0]
    while True:
        length = min(max(Fraction(index.pts[-1] - at) / 8, shortest), max(longest, shortest))
        # Half a segment of grace: a grid's steps are a frame longer or shorter than they say.
        first = bisect_left(starts, at + length - shortest / 2)
        nearest = starts[first : first + AHEAD]
        if not nearest or index.pts[-1] - nearest[0] < shortest / 3:
            return boundaries
        # A longer chunk must be worth it: decoding is cheap beside encoding every rung.
        at = min(nearest, key=lambda pts: 2 * _run_in(index, pts) + pts - nearest[0])
        boundaries.append(at)


def _run_in(index: Index, pts: int) -> int:
    """Ticks that are decoded for nothing before a chunk that begins here."""
    seek = seek_point(index, pts)
    return pts - (index.pts[0] if seek is None else seek)


def _led(rendition: Rendition, lead_in: Held) -> Rendition:
    return rendition.model_copy(update={"video": led_video(rendition.video, lead_in)})


def _lead_in_words(lead_in: Held, time_base: Fraction) -> str:
    return (
        f"the picture begins {float(lead_in.ticks * time_base):.2f} s after the sound: its first "
        f"frame is held from the start, as {counted(lead_in.frames, 'frames')} more"
    )


def _followed(rendition: Rendition) -> Rendition:
    """A picture slower than what is held behind it has the latter's rate."""
    rate = rendition.frame_rate
    return rendition.model_copy(update={"frame_rate": max(rate, STILL_RATE) if rate else None})


def _lead_out_words(lead_out: Held, time_base: Fraction) -> str:
    return (
        f"the picture ends {float(lead_out.ticks * time_base):.2f} s before the sound: its last "
        f"frame is held until the end, as {counted(lead_out.frames, 'frames')} more"
    )


def _unfollowed_words(lead_out: Held, time_base: Fraction) -> str:
    return (
        f"the sound goes on for {float(lead_out.ticks * time_base):.2f} s behind the picture's "
        "end: players may stand still there"
    )


def _in_words(rendition: Rendition, rung: Rung) -> str:
    cap = f"{rung.max_bitrate_bps / 1_000_000:g} Mbit/s at most"
    return f"{rendition.name} ({rendition.width}x{rendition.height}, {cap})"
