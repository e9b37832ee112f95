"""What every encoder is: a name, its options, and what carries its chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

Arguments = tuple[str, ...]


@dataclass(frozen=True)
class Pass:
    """One of the two passes of an encode that aims at a bit rate.

    The first writes its statistics under `log`, at constant quality; the second reads them
    and aims at `bitrate_bps`.
    """

    number: Literal[1, 2]
    log: str
    bitrate_bps: int = 0
    statistics_only: bool = False
    """A first pass that writes no picture."""
    crf: int | None = None
    """The quality that meets the rate, for encoders that are told one instead of a rate."""


@dataclass(frozen=True)
class Encoder:
    """An encoder of the picture."""

    arguments: Callable[[VideoPlan, Pass | None], Arguments]
    """FFmpeg's arguments for a plan, and a pass where there are two."""
    carrier: Literal["cmaf", "mov", "gif", "webp", "avif"] = "cmaf"
    """What chunks are written as: CMAF fragments, MOV's for codecs that MP4 does not know, or
    the finished file of what cannot be cut."""
    silent: bool = False
    """Whether a pass that writes statistics writes no picture; then there are two first ones."""
    counts_frames: bool = False
    """Whether its rate control counts frames at a fixed rate, where others read their times."""
    on_host: Callable[[Arguments], Arguments] = tuple
    """Adds what saves this host's processor time, for the same bytes: no recipe has it."""
    analysis_crf: int | None = None
    """Of the first pass, for an encoder that misses the rate of short chunks: then a constant
    quality is looked for that meets it (`media.transcode.rate_search`)."""
    passes_its_cap: bool = False
    """Whether a short chunk may take more than its cap, which is kept over many seconds alone."""
    finish: Callable[[VideoPlan], str] | None = None
    """The filter that makes its pixels from the finished picture, where FFmpeg must be told."""

    parts: bool = False
    """Whether `finish` makes several pictures, and `arguments` maps those behind the first."""

    @property
    def whole(self) -> bool:
        """Whether the picture is encoded in one piece, which is the output's file."""
        return self.carrier in ("gif", "webp", "avif")


def cap(video: VideoPlan) -> Arguments:
    """At most `max_bitrate_bps`, over a buffer of two seconds."""
    most = video.settings.max_bitrate_bps
    return ("-maxrate", str(most), "-bufsize", str(2 * most)) if most else ()


def half_full(video: VideoPlan) -> Arguments:
    """For x264 and x265 under a cap: a chunk begins with half of the buffer, not with nine tenths.

    Each chunk would else spend a buffer on top of its rate. Measured of noise in chunks of 5 s:
    18 % more than the cap at nine tenths, 2 % at a half (x264).
    """
    return ("vbv-init=0.5",) if video.settings.max_bitrate_bps else ()


NEVER = 10_000
"""Frames between keyframes that no encoder comes to by itself, where keyframes are forced."""


def keyframes(video: VideoPlan) -> Arguments:
    """The longest way between keyframes, in frames. Where they are forced, a cut of scenes gets an
    intra picture that is none: no player may begin there, and all renditions agree."""
    if video.keyframes_forced:
        return ("-g", str(NEVER), "-keyint_min", str(NEVER // 2))
    return ("-g", str(video.gop_frames)) if video.gop_frames else ()


def closed(video: VideoPlan) -> Arguments:
    """For x264 and x265: a keyframe that is forced is one at which decoding can begin."""
    return ("-forced-idr", "1") if video.keyframes_forced else ()


def logged(which: Pass) -> Arguments:
    """Where FFmpeg's encoders keep what they learn in the first pass."""
    return ("-pass", str(which.number), "-passlogfile", which.log)


def rate(video: VideoPlan) -> Fraction:
    """Frames a second, for encoders whose rate control counts frames."""
    return video.frame_rate or Fraction(25)
