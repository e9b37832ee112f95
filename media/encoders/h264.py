"""H.264 by libx264."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from media.encoders.base import Arguments, Encoder, Pass, cap, closed, half_full, keyframes, logged

if TYPE_CHECKING:
    from media.transcode.plan import VideoPlan

ANALYSIS_CRF = 23
_TINY = (99, 3000, 160_000)
"""Macroblocks, macroblocks a second and bit/s up to which x264 may find level 1 or 1b enough, and
level 1.1 is (ITU-T H.264, tables A-1 and A-2, High profile)."""


def streamed_level(size: tuple[int, int], rate: Fraction, cap_bps: int | None) -> str | None:
    """The level of a stream of this size, frame rate in Hz and cap, where x264's choice may be 1b:
    that is 9 in CODECS (`avc1.640009`), which Chromium takes for no codec."""
    macroblocks = -(-size[0] // 16) * -(-size[1] // 16)
    most, most_a_second, most_bps = _TINY
    fits = macroblocks <= most and macroblocks * rate <= most_a_second
    return "1.1" if fits and (cap_bps or 0) <= most_bps else None


def arguments(video: VideoPlan, which: Pass | None) -> Arguments:
    """x264 with the plan's threads: its bytes depend on their number."""
    settings = video.settings
    return (
        *("-c:v", "libx264", "-preset", str(settings.speed), *_quality(video, which)),
        *("-pix_fmt", video.pixel_format, "-threads", str(video.threads)),
        *(("-profile:v", settings.profile) if settings.profile else ()),
        *(("-level:v", video.level) if video.level else ()),
        *keyframes(video),
        *closed(video),
        *cap(video),
        # Same bytes on every CPU, for about 2.5 % more CPU time.
        *(
            "-x264-params",
            ":".join(("cpu-independent=1", *half_full(video), *_joinable(video, which))),
        ),
    )


def _joinable(video: VideoPlan, which: Pass | None) -> Arguments:
    """A quality of its own, or a second pass, would write a chunk's quantiser into its header."""
    second = which is not None and which.number == 2
    return ("stitchable=1",) if video.varied or second else ()


def _quality(video: VideoPlan, which: Pass | None) -> Arguments:
    if which is not None:
        aim = ("-crf", str(ANALYSIS_CRF)) if which.number == 1 else ("-b:v", str(which.bitrate_bps))
        return (*aim, *logged(which))
    # With crf 0 at more than 8 bits x264 is only nearly lossless; qp 0 always is.
    return ("-qp", "0") if video.settings.crf == 0 else ("-crf", str(video.settings.crf))


ENCODER = Encoder(arguments)
